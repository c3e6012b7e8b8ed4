"""Copies of servers' disks: snapshots that a person takes, backups by the clock, and the way back (SRV-8, SUB-14)."""
