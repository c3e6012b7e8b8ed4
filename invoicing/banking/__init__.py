"""What the bank tells: transfers matched to invoices (INV-11)."""
