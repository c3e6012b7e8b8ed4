"""The network of a server: its firewall, which of its ports answer, the names of its addresses (SRV-3, SRV-8)."""
