"""Prepaid funds (INV-6)."""
