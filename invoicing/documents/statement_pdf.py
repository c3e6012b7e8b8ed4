"""A statement of account as PDF by typst."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoicing.documents.pdf import typeset

_TEMPLATE = Path(__file__).parent / "statement.typ"


def render(said: Mapping[str, Any]) -> bytes:
    """A4, PDF/A-3b."""
    return typeset(_TEMPLATE, dict(said), said["issued_on"])
