"""The managed service of a server: what is set up on it, what waits, what its owner must install (SRV-9, SUB-11)."""
