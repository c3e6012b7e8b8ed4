"""JSON in one form only, so that its text can be hashed."""

import json
from collections.abc import Mapping
from typing import Any

_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


class Frozen(dict[str, Any]):
    """An object that keeps its canonical text beside it: hashed and written from the same letters. It is not changed
    any more."""

    __slots__ = ("text",)

    def __init__(self, values: Mapping[str, Any], text: str = "") -> None:
        super().__init__(values)
        self.text = text or _WRITER.encode(values)


class Unfinished:
    """An object whose text under `key` is still open; the letters of all the rest are written."""

    __slots__ = ("_after", "_before", "_key", "_values")

    def __init__(self, values: Mapping[str, Any], key: str) -> None:
        self._values, self._key = values, key
        before = _WRITER.encode({name: value for name, value in values.items() if name < key})[:-1]
        after = _WRITER.encode({name: value for name, value in values.items() if name > key})[1:]
        self._before = f"{before}{',' if len(before) > 1 else ''}{_WRITER.encode(key)}:"
        self._after = f",{after}" if len(after) > 1 else after

    def finished(self, word: str) -> Frozen:
        """The object with `word` there."""
        return Frozen(
            {**self._values, self._key: word}, f"{self._before}{_WRITER.encode(word)}{self._after}"
        )


def text_of(values: Mapping[str, Any]) -> str:
    """Sorted keys, no spaces, every letter as itself."""
    return values.text if isinstance(values, Frozen) else _WRITER.encode(values)
