"""What we owe a customer for a promise that was not kept (SUB-15, TIC-2)."""
