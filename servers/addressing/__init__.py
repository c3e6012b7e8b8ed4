"""Addresses: their pools, who holds which from when to when, where each is, and cutting one off (SRV-3, ABU-3)."""
