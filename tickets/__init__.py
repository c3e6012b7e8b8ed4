"""Requests: one thread between a customer and the provider, by web, mail and API (TIC-1, TIC-3)."""
