"""The books: ledger, closings, exports, archive, reconciliation, figures (INV-11)."""
