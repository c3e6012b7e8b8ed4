"""What is for sale and at what price (SUB-1, LEG-3)."""
