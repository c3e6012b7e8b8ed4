"""Who acts: a person (in an account or as staff), the clock, a webhook, or the panel itself."""

from dataclasses import dataclass

STAFF_ROLES = ("support", "billing", "abuse", "infrastructure", "administrator")


@dataclass(frozen=True, slots=True)
class Actor:
    """`permissions` are those inside `account_id` (ACC-4); `staff_roles` are empty for customers."""

    kind: str
    user_id: int | None = None
    account_id: int | None = None
    permissions: frozenset[str] = frozenset()
    staff_roles: frozenset[str] = frozenset()
    token_id: int | None = None
    scopes: frozenset[str] | None = None
    name: str = ""
    ip: str | None = None

    @property
    def is_staff(self) -> bool:
        return bool(self.staff_roles)

    @property
    def is_automatic(self) -> bool:
        """True where no person decided (DSA Art. 17: "use of automated means")."""
        return self.kind != "person"

    def may(self, permission: str) -> bool:
        """Whether the account's permissions, and an API token's scopes, name `permission`."""
        if self.scopes is not None and permission not in self.scopes:
            return False
        return permission in self.permissions

    def has_role(self, *roles: str) -> bool:
        """Staff with one of `roles`, or an administrator."""
        return bool(self.staff_roles & (set(roles) | {"administrator"}))


CLOCK = Actor(kind="clock", name="clock")
SYSTEM = Actor(kind="system", name="panel")


def webhook(provider: str) -> Actor:
    """The actor of a provider's message."""
    return Actor(kind="webhook", name=provider)
