"""Work and trouble that interrupt services: announced, told to whom it concerns, shown to everybody (SUB-10)."""
