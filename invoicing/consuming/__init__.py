"""Metered use: events, tiers, ratings, and what a metered line rests on (SRV-5, OPR-1)."""
