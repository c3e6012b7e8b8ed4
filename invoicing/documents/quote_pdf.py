"""Quotes as PDF by typst; the same words give the same bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoicing.documents.pdf import typeset

_TEMPLATE = Path(__file__).parent / "quote.typ"


def render(said: Mapping[str, Any]) -> bytes:
    """A4, PDF/A-3b."""
    return typeset(_TEMPLATE, dict(said), said["issued_on"])
