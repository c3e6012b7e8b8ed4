"""Answers that are kept, of pure functions that are asked the same again and again."""

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")
KEPT = 4096


def remembered(pure: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
    """`pure`, which keeps its latest answers; what it is asked with can be hashed, and nothing else decides."""
    return cast(Callable[Asked, Answer], lru_cache(maxsize=KEPT)(pure))
