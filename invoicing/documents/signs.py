"""Signs that a document can hold, whatever a customer typed."""

import unicodedata
from collections.abc import Callable
from typing import Any


def each(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every text in it changed; tuples become lists."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: each(one, change) for key, one in value.items()}
    return [each(one, change) for one in value] if isinstance(value, list | tuple) else value


def visible(text: str) -> str:
    """Without control signs and halves of signs, which no font can show and no XML can hold."""
    return "".join(sign for sign in text if unicodedata.category(sign) not in ("Cc", "Cs", "Cn"))


LONGEST = 24  # letters of a word that is not torn


def breakable(text: str) -> str:
    """With a place to break the line in each word that is longer than any column."""
    return " ".join(
        "\u200b".join(word[at : at + LONGEST // 2] for at in range(0, len(word), LONGEST // 2))
        if len(word) > LONGEST else word
        for word in text.split(" ")
    )  # fmt: skip
