"""SEPA direct debit by our own files: mandates, notices, files for the bank and its answers (INV-5, OPR-3)."""
