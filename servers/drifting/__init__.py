"""What a person decides on a finding: a machine too many goes or is taken on, a lost one is made anew (SRV-1)."""
