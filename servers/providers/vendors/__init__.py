"""What vendors do differently from what libcloud's drivers have in common. Each module's `Vendor` is the adapter of one
driver; `docs/providers.md` shows them side by side."""
