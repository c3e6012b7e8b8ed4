"""JSON in one form only, so that its text can be hashed."""

import json
from collections.abc import Mapping
from json import encoder
from typing import Any

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)

quoted = encoder.encode_basestring  # a text as JSON has it


class Written:
    """An object that is in words already: hashed and kept from the same letters."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def values(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class Unfinished:
    """An object in words but for one text, which stands between the letters `before` and `after`."""

    __slots__ = ("after", "before")

    def __init__(self, before: str, after: str) -> None:
        self.before, self.after = before, after

    def finished(self, word: str) -> Written:
        """The object with `word` there."""
        return Written(f"{self.before}{quoted(word)}{self.after}")


def text_of(values: Mapping[str, Any] | Written) -> str:
    """Sorted keys, no spaces, every letter as itself."""
    return values.text if isinstance(values, Written) else _WRITER.encode(values)
