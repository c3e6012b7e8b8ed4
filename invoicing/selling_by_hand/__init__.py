"""Staff's own entries: invoices, payments, write-offs, down payments (INV-2, INV-11)."""
