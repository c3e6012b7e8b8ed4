"""The billing run: what is invoiced by itself, and what the next invoice will be (SUB-5, INV-1)."""
