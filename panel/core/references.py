"""References people read aloud: a prefix and eight signs without 0/O, 1/I/L or U."""

import secrets

_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new(prefix: str) -> str:
    """A new random reference such as `CASE-7KQ2M9X4`; keep it in a unique field."""
    return f"{prefix}-" + "".join(secrets.choice(_SIGNS) for _ in range(8))
