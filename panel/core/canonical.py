"""JSON in one form only, so that its text can be hashed."""

import json
from collections.abc import Mapping
from typing import Any

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


class Frozen(dict[str, Any]):
    """An object that keeps its canonical text beside it: hashed and written from the same letters. It is not changed
    any more."""

    __slots__ = ("text",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.text = _WRITER.encode(values)


def text_of(values: Mapping[str, Any]) -> str:
    """Sorted keys, no spaces, every letter as itself."""
    return values.text if isinstance(values, Frozen) else _WRITER.encode(values)
