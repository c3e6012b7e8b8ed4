"""Who may tell of usage, and what a package meters (OPR-1): set up by staff."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hmac import compare_digest
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing.consuming import usage_rules
from invoicing.consuming.usage import RULE
from invoicing.models import Package, PackageMeter, UsageSource
from panel import terms
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

MARK = "usage_"
CODE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@transaction.atomic
def add_source(code: str, *, actor: Actor, now: datetime) -> tuple[UsageSource, str]:
    """A new source and its key, which is never shown again; RuleViolation when the name is taken or no name."""
    if not CODE.fullmatch(code):
        raise RuleViolation(_("Please use lower-case letters, digits and hyphens."), rule=RULE, field="code")
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(30)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    try:
        with transaction.atomic():
            row = UsageSource.objects.create(code=code, prefix=prefix, digest=digest, created_at=now)
    except IntegrityError:
        raise RuleViolation(_("There is a source of this name."), rule=RULE, field="code") from None
    events.record("invoicing.usage_source.added", now=now, actor=actor, subject=row, rule=RULE, data={"source": code})
    return row, f"{MARK}{prefix}_{secret}"


@transaction.atomic
def revoke_source(source: UsageSource, *, actor: Actor, now: datetime) -> None:
    """Its key opens nothing from now on; what it told stays. Revoking twice changes nothing."""
    if UsageSource.objects.filter(pk=source.pk, revoked_at=None).update(revoked_at=now):
        events.record("invoicing.usage_source.revoked", now=now, actor=actor, subject=source, rule=RULE,
                      data={"source": source.code})  # fmt: skip


def authenticate(text: str) -> UsageSource | None:
    """The source a key stands for; None when it is unknown or revoked."""
    prefix, _sep, secret = text.removeprefix(MARK).partition("_")
    row = UsageSource.objects.filter(prefix=prefix, revoked_at=None).first()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if row is None or not text.startswith(MARK) or not compare_digest(row.digest, digest):
        return None
    return row


@dataclass(frozen=True, slots=True)
class MeterWish:
    """What a meter is to be from an instant on; prices are EUR without VAT a unit."""

    meter: str
    name: str
    name_fr: str
    unit: str
    allowance: Decimal
    tiers: Sequence[Mapping[str, Any]]
    counter: str = "sum"
    carries: bool = False


@transaction.atomic
def set_meter(package: Package, wish: MeterWish, *, valid_from: datetime, actor: Actor, now: datetime) -> PackageMeter:
    """Price a meter of a package for the contractual periods that begin from `valid_from` on, never for one that has
    begun (LEG-1). RuleViolation for tiers that do not rise, an unknown counter or an instant that has passed."""
    if valid_from < now:
        raise RuleViolation(_("A price can only hold from now on."), rule="LEG-3", field="valid_from")
    if wish.counter not in usage_rules.COUNTERS:
        raise RuleViolation(_("Nobody counts in this way."), rule=RULE, field="counter")
    needs = usage_rules.COUNTERS[wish.counter].rule
    if needs and needs not in terms.current(now).table:
        raise RuleViolation(_("The terms in force do not say how a message is counted."), rule=needs, field="counter")
    if wish.meter in usage_rules.METERS or not CODE.fullmatch(wish.meter):
        raise RuleViolation(_("Please use lower-case letters, digits and hyphens."), rule=RULE, field="meter")
    try:
        usage_rules.tiers(wish.tiers)
    except ValueError as error:
        raise RuleViolation(_("The limits of the tiers must rise, and the last has none."), rule=RULE,
                            field="tiers") from error  # fmt: skip
    try:
        with transaction.atomic():
            row = PackageMeter.objects.create(
                package=package, meter=wish.meter, name=wish.name, name_fr=wish.name_fr, unit=wish.unit,
                counter=wish.counter, allowance=wish.allowance, tiers=list(wish.tiers), carries=wish.carries,
                valid_from=valid_from,
            )  # fmt: skip
    except IntegrityError:
        raise RuleViolation(_("This meter has a price from that instant on already."), rule=RULE, field="meter") from (
            None
        )
    events.record("invoicing.meter.set", now=now, actor=actor, subject=row, rule=RULE,
                  data={"meter": wish.meter, "package": package.code})  # fmt: skip
    return row
