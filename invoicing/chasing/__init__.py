"""What stays unpaid: reminders, interest, suspension and its lifting (INV-7, INV-8, INV-14, SUB-8)."""
