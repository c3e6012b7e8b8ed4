"""From an order to a running subscription, its changes and its end (SUB-2..SUB-12)."""
