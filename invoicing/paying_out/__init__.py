"""What the payment provider pays out to our bank, and what it keeps (INV-11)."""
