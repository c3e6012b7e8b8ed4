"""Orders that a person looks at before they go on, and renewals that are refused (SUB-4)."""
