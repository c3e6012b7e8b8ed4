"""How a machine does, read from the host's side and most often while somebody looks (SRV-12)."""
