"""VAT, its evidence, and by which way a document leaves (INV-10)."""
