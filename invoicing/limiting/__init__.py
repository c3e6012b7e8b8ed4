"""What an account may spend: the limits of new accounts (SUB-4) and the cap a customer sets for itself."""
