"""Traffic of many servers at once: polled, ingested by the set, kept by the month, doubted (SRV-4, SRV-5)."""
