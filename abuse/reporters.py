"""Who reports: trust, the domain that proves them, their own secret address (ABU-1). All of it staff's to give."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from abuse import authenticity
from abuse.authenticity import Proof
from abuse.models import Reporter
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation


def digests() -> dict[str, int]:
    """The digest of every reporter's token, with the reporter's id."""
    return dict(Reporter.objects.exclude(token_digest="").values_list("token_digest", "pk"))


def proven(proof: Proof, sender: str) -> Reporter | None:
    """The reporter that a proof names; None for a proof of somebody we do not know."""
    if proof.reporter_id is not None:
        return Reporter.objects.filter(pk=proof.reporter_id).first()
    if proof.kind != "dkim":
        return None
    known = Reporter.objects.filter(domain=proof.domain)
    return known.filter(email=sender).first() or known.order_by("-trusted", "pk").first()


@transaction.atomic
def add(email: str, *, name: str, domain: str = "", trusted: bool = False, actor: Actor, now: datetime) -> Reporter:
    """Staff: know a reporter. The domain must be the address's own; RuleViolation otherwise."""
    email, domain = email.strip().lower(), domain.strip().lower().rstrip(".")
    if domain and not authenticity.belongs(email, domain):
        raise RuleViolation(_("The address is not of this domain."), field="domain", rule="ABU-1")
    reporter, _new = Reporter.objects.get_or_create(email=email, defaults={"name": name, "created_at": now})
    reporter.name, reporter.domain, reporter.trusted = name or reporter.name, domain, trusted
    reporter.save(update_fields=["name", "domain", "trusted"])
    _tell("abuse.reporter.changed", reporter, actor=actor, now=now, trusted=trusted)
    return reporter


@transaction.atomic
def trust(reporter: Reporter, *, trusted: bool, actor: Actor, now: datetime) -> None:
    """Staff: whether this reporter's proven reports start a clock by themselves."""
    Reporter.objects.filter(pk=reporter.pk).update(trusted=trusted)
    _tell("abuse.reporter.changed", reporter, actor=actor, now=now, trusted=trusted)


@transaction.atomic
def give_address(reporter: Reporter, *, actor: Actor, now: datetime) -> str:
    """A new secret address for this reporter alone, shown this once; an older one stops counting."""
    token = authenticity.new_token()
    Reporter.objects.filter(pk=reporter.pk).update(token_digest=authenticity.digest_of(token))
    _tell("abuse.reporter.address_given", reporter, actor=actor, now=now)
    return f"abuse+{token}@{settings.CLAUSE_MAIL_DOMAIN}"


def _tell(event: str, reporter: Reporter, *, actor: Actor, now: datetime, **data: object) -> None:
    events.record(event, now=now, actor=actor, subject=reporter, rule="ABU-1", data=data)
