"""What a place tells by itself: that a machine of its may have changed. A message says where to look, never what to
believe (SRV-12)."""
