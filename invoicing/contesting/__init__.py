"""Invoices that are disputed, and late fees whose waiver is asked for (TIC-6, INV-9, OPR-10)."""
