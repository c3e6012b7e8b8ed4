"""A world to look at: two months of a small provider, lived through the use cases with the clock walked along."""
