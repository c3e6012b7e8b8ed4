"""What a person may have done to a server: each verb a use case and the operation that carries it out (SRV-8)."""
