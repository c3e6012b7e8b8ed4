"""Money that is collected through the provider, and money that goes back (INV-5, INV-7, INV-12)."""
