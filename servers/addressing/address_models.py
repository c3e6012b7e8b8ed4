"""Addresses of the provider's, and who held which from when to when (SRV-3)."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class Address(models.Model):
    """An address of the provider's. `blocked` is what the host confirmed, `state` whether somebody holds it (SRV-3)."""

    class State(models.TextChoices):
        FREE = "free"
        HELD = "held"
        QUARANTINE = "quarantine"

    ip = models.GenericIPAddressField(unique=True)
    place = models.CharField(max_length=40)
    family = models.PositiveSmallIntegerField(default=4, help_text="4 or 6")
    state = models.CharField(max_length=12, choices=State.choices, default=State.FREE)
    free_at = models.DateTimeField(null=True, help_text="when its quarantine ends")
    blocked = models.BooleanField(default=False)
    move = models.ForeignKey(
        "servers.ServerAction", models.SET_NULL, null=True, related_name="+", help_text="the latest one asked for"
    )

    class Meta:
        indexes = (
            models.Index(fields=["place", "family", "id"], name="address_free", condition=Q(state="free")),
            models.Index(fields=["free_at"], name="address_quarantined", condition=Q(state="quarantine")),
        )

    def __str__(self) -> str:
        return str(self.ip)


class HoldingQuerySet(TenantQuerySet):
    def now(self) -> Self:
        """Those that have not ended, on a server or on none."""
        return self.filter(until=None)

    def attached(self) -> Self:
        """Those whose address is on its server now, or on its way there."""
        return self.filter(until=None, attached=True)


class AddressHolding(models.Model):
    """Who held an address from when to when; kept for as long as claims can come (SRV-3, PRV-4). Half-open in time."""

    address = models.ForeignKey(Address, models.PROTECT, related_name="holdings")
    server = models.ForeignKey(
        "servers.Server", models.PROTECT, related_name="holdings",
        help_text="the one it is on; while it is on none, the one it was ordered with",
    )  # fmt: skip
    ordered_with = models.ForeignKey(
        "servers.Server", models.PROTECT, related_name="ordered_holdings", help_text="whose subscription pays for it"
    )
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="address_holdings")
    is_first = models.BooleanField(help_text="the address that came with the server")
    attached = models.BooleanField(default=True, help_text="False: reserved, and on no server")
    leaves = models.BooleanField(default=False, help_text="its holder chose it as the next to be given back")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    objects = HoldingQuerySet.as_manager()

    class Meta:
        ordering = ("-since", "-id")
        constraints = (
            models.UniqueConstraint(F("address"), condition=Q(until__isnull=True), name="holding_one_open"),
            models.UniqueConstraint(
                F("server"), condition=Q(until__isnull=True, is_first=True), name="holding_one_first"
            ),
            models.CheckConstraint(condition=Q(until__isnull=True) | Q(until__gte=F("since")), name="holding_forward"),
            models.CheckConstraint(
                condition=Q(is_first=False) | Q(attached=True, ordered_with=F("server")), name="holding_first_stays"
            ),
            models.CheckConstraint(
                condition=Q(attached=True) | Q(ordered_with=F("server")), name="holding_reserved_with"
            ),
        )
        indexes = (
            models.Index(fields=["address", "since"], name="holding_when"),
            models.Index(fields=["server", "since"], name="holding_server"),
        )

    def __str__(self) -> str:
        return f"{self.address_id} {self.since:%Y-%m-%d}.."


class AddressBlock(models.Model):
    """A network that staff added to those of a place's configuration; its addresses are given out like theirs."""

    place = models.CharField(max_length=40)
    network = models.CharField(max_length=43, unique=True, help_text="as ipaddress writes it, such as 192.0.2.0/24")
    added_at = models.DateTimeField()
    added_by = models.BigIntegerField(help_text="the staff member")

    class Meta:
        ordering = ("place", "id")

    def __str__(self) -> str:
        return self.network


_OVERLAP = (
    "EXISTS (SELECT 1 FROM servers_addressholding h WHERE h.address_id = NEW.address_id AND h.id <> NEW.id"
    " AND (NEW.until IS NULL OR h.since < NEW.until) AND (h.until IS NULL OR h.until > NEW.since))"
)
for _moment in ("INSERT", "UPDATE"):
    triggers.declare(
        triggers.Trigger(
            name=f"servers_holding_overlap_{_moment.lower()}",
            table="servers_addressholding",
            moment=f"AFTER {_moment}",
            sqlite=f"SELECT RAISE(ABORT, 'two holders of one address at one time') WHERE {_OVERLAP}",
            postgresql=(
                f"IF {_OVERLAP} THEN RAISE EXCEPTION 'two holders of one address at one time'"
                " USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NULL"
            ),
        )
    )
