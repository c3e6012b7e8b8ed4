"""A running service goes over to another account: offered, accepted, handed over (SUB-2, SUB-4)."""
