"""A server that endangers others, or that somebody broke into, is limited at once; its owner is told the steps (SRV-7,
SRV-13)."""
