"""VAT numbers are asked for at the register, and asked again before they grow old (INV-10).

Only a yes of the register makes a sale reverse charged. An outage changes nothing: the last yes holds for the days the
terms allow, and without one the customer is taxed like a consumer.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import vies
from invoicing.journal import tell
from invoicing.models import VatAnswer, VatCheck
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import VatFacts
from panel import terms
from panel.accounts.models import Account
from panel.core import due, events, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.models import Event, Operation

ASK = "invoicing.ask_vies"


def wants_proof(account: Account) -> bool:
    """Whether the tax of this account hangs on the register's answer."""
    business = account.kind == Account.Kind.BUSINESS
    return tax_rules.to_be_asked(VatFacts(account.country, business, account.vat_number))


def ask(account: Account, because: str, *, now: datetime) -> Operation | None:
    """Owe a question about the account's number, once for each `because`; None where no answer would matter."""
    if not wants_proof(account):
        return None
    return operations.enqueue(
        ASK, key=f"vies:{account.pk}:{account.vat_number}:{because}", now=now, account_id=account.pk, subject=account,
        payload={"account": account.pk},
    )  # fmt: skip


@transaction.atomic
def ask_again(account: Account, *, actor: Actor, now: datetime) -> None:
    """Staff asks now; at most once in ten seconds. RuleViolation where there is nothing to ask."""
    if ask(account, f"staff:{int(now.timestamp()) // 10}", now=now) is None:
        raise RuleViolation(_("No answer of the register would change this customer's tax."), rule="INV-10")
    tell_about(account, "vat.asked", now=now, actor=actor)


def freshen(account: Account, *, now: datetime) -> None:
    """Before something is sold: have a proof that has grown old renewed."""
    days = terms.current(now).vat.recheck_days
    if account.vat_valid_at and now - account.vat_valid_at > timedelta(days=days):
        ask(account, f"day:{paris_date(now)}", now=now)


@events.subscriber("accounts.account.opened", "vies.opened")
def opened(event: Event, *, now: datetime) -> None:
    """A new customer's number is asked for at once."""
    ask(Account.objects.get(pk=event.account_id or 0), "opened", now=now)


@events.subscriber("accounts.account.tax_changed", "vies.changed")
def changed(event: Event, *, now: datetime) -> None:
    """So is a changed one."""
    ask(Account.objects.get(pk=event.account_id or 0), f"event:{event.pk}", now=now)


def old(now: datetime) -> list[int]:
    """Accounts whose number was not answered for within the terms' days."""
    since = now - timedelta(days=terms.current(now).vat.recheck_days)
    answered = VatCheck.objects.exclude(answer=VatAnswer.SILENT).filter(
        account=OuterRef("pk"), number=OuterRef("vat_number")
    )
    rows = Account.objects.filter(
        kind=Account.Kind.BUSINESS, state=Account.State.OPEN, country__in=tax_rules.EU - tax_rules.LIKE_FRANCE
    ).exclude(vat_number="")
    rows = rows.annotate(answered_at=Subquery(answered.order_by("-asked_at").values("asked_at")[:1]))
    return list(rows.filter(Q(answered_at=None) | Q(answered_at__lt=since)).order_by("pk").values_list("pk", flat=True))


@due.sweep("invoicing.check_vat", every_seconds=3600)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Ask again for the numbers whose proof is old, at most once a day each, so that renewals find fresh ones."""
    ids = old(now)
    if dry_run:
        return due.SweepReport(would=[f"ask for the VAT number of account {pk}" for pk in ids])
    return due.each(ids, lambda pk: ask(Account.objects.get(pk=pk), f"day:{paris_date(now)}", now=now))


@transaction.atomic
def heard(account_id: int, number: str, answer: str, *, consultation: str = "", note: str = "", now: datetime) -> None:
    """Keep what the register said of `number`; it counts for the account while that still is its number."""
    account = Account.objects.select_for_update().get(pk=account_id)
    check = VatCheck.objects.create(
        account=account, number=number, answer=answer, consultation=consultation, asked_at=now, note=note[:200]
    )
    if answer != VatAnswer.SILENT and account.vat_number == number:
        account.vat_valid_at = now if answer == VatAnswer.VALID else None
        account.vat_evidence = {
            "answer": answer, "consultation": consultation, "number": number, "asked_at": now.isoformat(),
        }  # fmt: skip
        account.save(update_fields=["vat_valid_at", "vat_evidence"])
    tell(f"vat.{answer}", check, now=now, actor=SYSTEM, rule="INV-10", data={"consultation": consultation})


def tell_about(account: Account, what: str, *, now: datetime, actor: Actor) -> None:
    """An event about the account itself."""
    events.record(f"invoicing.{what}", now=now, actor=actor, subject=account, account_id=account.pk, rule="INV-10")


@operations.register
class AskVies(operations.Handler):
    """Asks the register. An outage is tried through for more than a day before staff hears of it."""

    kind = ASK
    label = gettext_lazy("Check a VAT number")
    max_attempts = 40

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        number = Account.objects.values_list("vat_number", flat=True).get(pk=op.payload["account"])
        if not number:
            return {}
        said = vies.get().ask(number)
        answer = VatAnswer.VALID if said.valid else VatAnswer.INVALID
        return {"number": number, "answer": answer.value, "consultation": said.consultation}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if result:
            heard(op.payload["account"], result["number"], result["answer"], consultation=result["consultation"],
                  now=now)  # fmt: skip

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        number = Account.objects.values_list("vat_number", flat=True).get(pk=op.payload["account"])
        heard(op.payload["account"], number, VatAnswer.SILENT, note=error, now=now)
