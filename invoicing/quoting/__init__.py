"""Quotes: drawn up, signed in the panel, carried out in stages (PRJ-1, LEG-6, OPR-4)."""
