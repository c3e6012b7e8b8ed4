"""Documents: number, chain, lines, fees, files (INV-1..INV-3)."""
