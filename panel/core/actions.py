"""An Action is declared once: label, who may, how dangerous, why not just now. Pages, API and sockets ask the same."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

from django.core.exceptions import PermissionDenied
from django.utils.functional import Promise

from panel.core.actors import Actor
from panel.core.errors import RuleViolation

Text: TypeAlias = str | Promise
Reason: TypeAlias = Text | None


class Danger(IntEnum):
    """How much friction a page puts before it: none, a dialog, a dialog with the price, a typed name."""

    NONE = 0
    CONFIRM = 1
    COSTS = 2
    DESTROYS = 3


REGISTRY: dict[str, "Action"] = {}


def _always(actor: Actor, obj: Any) -> Reason:
    return None


@dataclass(frozen=True)
class Action:
    """`permission`: what a customer's membership must name ("" = any log-in, None = not for customers).

    `roles`: staff roles that may (administrators always may). `public`: no log-in at all.
    `why_not(actor, obj)`: a sentence when it cannot be done in this state, else None.
    """

    name: str
    label: Text
    permission: str | None = None
    roles: tuple[str, ...] = ()
    public: bool = False
    danger: Danger = Danger.NONE
    verb: str = ""
    why_not: Callable[[Actor, Any], Reason] = field(default=_always)

    def __post_init__(self) -> None:
        if self.name in REGISTRY:
            raise ValueError(f"action {self.name} exists")
        REGISTRY[self.name] = self

    def permits(self, actor: Actor) -> bool:
        """Whether `actor` may do this at all."""
        if self.public:
            return True
        if actor.is_staff and actor.account_id is None:
            return bool(self.roles) and actor.has_role(*self.roles)
        if self.permission is None or actor.user_id is None:
            return False
        return actor.account_id is not None and (actor.may(self.permission) or self.permission == "")

    def refusal(self, actor: Actor, obj: Any = None) -> Reason:
        """The sentence why it cannot be done now; None: it can."""
        return self.why_not(actor, obj)

    def check(self, actor: Actor, obj: Any = None) -> None:
        """PermissionDenied (403) when the actor may not; RuleViolation with the sentence when the state forbids it."""
        if not self.permits(actor):
            raise PermissionDenied(f"{self.name} is not permitted")
        reason = self.refusal(actor, obj)
        if reason:
            raise RuleViolation(str(reason))
