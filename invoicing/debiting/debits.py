"""Announced debits between their notice and a file: which may go, which are announced again, which are withdrawn
(INV-5, OPR-3, invariant 23)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext_lazy as _

from invoicing.debiting import announcing, debit_rules, mandate_rules, mandates
from invoicing.journal import tell
from invoicing.models import Debit, DebitNotice, DebitState, Mandate, MandateState, Payment
from invoicing.paying import collecting, payments
from invoicing.paying.payment_rules import OURS
from panel import terms
from panel.core import due, events, keyset, operations
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import paris_date
from panel.core.due import SweepReport
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Event, Operation

WHY_NOT = {
    debit_rules.NO_MANDATE: _("its mandate has ended"),
    debit_rules.IDLE: _("its mandate lapses before that day"),
    debit_rules.CONTESTED: _("its invoice is contested"),
    debit_rules.SETTLED: _("what is due on its invoice has changed"),
    debit_rules.UNTOLD: _("its notice has not left yet"),
    debit_rules.DIFFERS: _("its notice said something else"),
    debit_rules.TOO_YOUNG: _("its notice left too late for this day"),
    debit_rules.TOO_LATE: _("this day can no longer be reached: it is announced again"),
    debit_rules.NO_TARGET_DAY: _("banks are closed on this day"),
    debit_rules.MISSED: _("two of its days have passed without a file: announce it again"),
}
AT_REST = ("", debit_rules.UNTOLD, debit_rules.MISSED)
"""Hindrances that time or a person takes away, and none at all."""
NOT_AGAIN = _("Only what failed through no fault of the customer is collected again by hand.")
NOTHING_LEFT = _("There is nothing to collect, it is under way already, or the customer has no means of payment.")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An announced debit, and why it cannot go into a file now ("": it can)."""

    debit: Debit
    hindrance: str

    @property
    def why_not(self) -> str:
        return str(WHY_NOT.get(self.hindrance, ""))


def known(rows: QuerySet[Debit]) -> QuerySet[Debit]:
    """Debits with all that `standing` reads, in a constant number of queries."""
    notices = DebitNotice.objects.select_related("mail")
    return rows.select_related("account", "invoice", "mandate", "payment").prefetch_related(
        Prefetch("notices", queryset=notices)
    )


def standing(debit: Debit) -> debit_rules.Standing:
    """What decides about a debit that came through `known`."""
    invoice, mandate, notice = debit.invoice, debit.mandate, next(iter(debit.notices.all()), None)
    told = notice.mail.accepted_at if notice else None
    return debit_rules.Standing(
        debit_on=debit.debit_on, cents=debit.cents, due_cents=invoice.due_cents if invoice.collectable else 0,
        contested=invoice.contested_at is not None, mandate_state=mandate.state, mandate_lapses_on=_lapses(mandate),
        told_on=paris_date(told) if told else None, told_debit_on=notice.debit_on if notice else None,
        told_cents=notice.cents if notice else None, terms=terms.version(debit.terms_version).debit,
        told_days=[one.debit_on for one in debit.notices.all() if one.mail.accepted_at],
    )  # fmt: skip


def _lapses(mandate: Mandate) -> date:
    signed = mandate.signed_at or mandate.created_at
    return mandate_rules.lapses_on(paris_date(signed), mandate.last_used_on)


def announced() -> QuerySet[Debit]:
    """Every debit that waits for a file, the nearest day first."""
    return known(Debit.objects.filter(state=DebitState.ANNOUNCED)).order_by("debit_on", "pk")


def hindered(*, now: datetime) -> Iterator[Candidate]:
    """Every announced debit that something keeps out of a file made at `now`, in the order of their keys; some hundreds
    are held at a time."""
    for some in keyset.walk(known(Debit.objects.filter(state=DebitState.ANNOUNCED))):
        yield from (one for one in judged(some, now=now) if one.hindrance)


def judged(rows: Iterable[Debit], *, now: datetime, today: date | None = None) -> list[Candidate]:
    """Each with what keeps it out of a file made at `now`, or on the day `today` (Paris)."""
    day = today or paris_date(now)
    return [Candidate(row, debit_rules.hindrance(standing(row), today=day)) for row in rows]


# --- by itself -------------------------------------------------------------------------------------------------------


@due.sweep("invoicing.debits", every_seconds=600)
def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Mandates that lapse end; debits whose day has been missed are announced again, once by itself; those whose
    invoice or mandate has changed are withdrawn, and what is still due is announced anew."""
    active = keyset.walk(Mandate.objects.filter(state=MandateState.ACTIVE))
    idle = [(row.pk, f"end the mandate {row}") for some in active for row in some if _lapses(row) <= paris_date(now)]
    odd = [(one.debit.pk, f"{one.debit.invoice.number}: {one.hindrance}")
           for one in hindered(now=now) if one.hindrance not in AT_REST]  # fmt: skip
    if dry_run:
        return SweepReport(would=[would for _pk, would in (*idle, *odd)])
    report = due.each([pk for pk, _would in idle], lambda pk: _expire(pk, now=now))
    return due.each([pk for pk, _would in odd], lambda pk: _tend(pk, now=now), report=report)


def _expire(pk: int, *, now: datetime) -> None:
    mandate = Mandate.objects.select_related("account").get(pk=pk)
    end_mandate(mandate, MandateState.EXPIRED, now=now)


def _tend(pk: int, *, now: datetime, asked: bool = False) -> None:
    Payment.objects.select_for_update(of=("self",)).get(debit=pk)
    debit = known(Debit.objects.select_for_update(of=("self",)).filter(pk=pk, state=DebitState.ANNOUNCED)).first()
    if debit is None:
        return
    because = debit_rules.hindrance(standing(debit), today=paris_date(now))
    if because in debit_rules.ANNOUNCE_AGAIN or (asked and because == debit_rules.MISSED):
        announcing.announce(debit, now=now)
    elif because in debit_rules.WITHDRAW:
        withdraw(debit, now=now)
        debit.invoice.refresh_from_db()
        if debit.invoice.contested_at is None:  # else it is collected when the contest is over (INV-1)
            collecting.collect_now(debit.invoice, anew(debit), now=now)


# --- by a person -----------------------------------------------------------------------------------------------------


@transaction.atomic
def announce_missed(*, key: str, now: datetime) -> Operation:
    """Staff will make files again: every debit that waits because its days passed is announced once more, each with a
    new day; once per `key`. An operation does it, so that the page answers at once."""
    return operations.enqueue(AnnounceMissed.kind, key=f"announce-missed:{key}", now=now)


@operations.register
class AnnounceMissed(operations.Handler):
    """Each debit in a transaction of its own; one that was announced since is no longer among them."""

    kind = "debits.announce_missed"
    label = _("Announce direct debits again whose days passed")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        missed = [one.debit.pk for one in hindered(now=now) if one.hindrance == debit_rules.MISSED]
        report = due.each(missed, lambda pk: _tend(pk, now=now, asked=True))
        if report.failed:
            raise ProviderError(f"{len(report.failed)} debits could not be announced", code="not_announced")
        return {"announced": report.done}


@transaction.atomic
def collect_again(debit: Debit, *, now: datetime) -> None:
    """Staff has mended what a refusal was our own fault for: what is due is announced and collected anew. RuleViolation
    when the payer or their bank refused it, or nothing is left to collect from."""
    held = Debit.objects.select_for_update(of=("self",)).select_related("invoice__account").get(pk=debit.pk)
    if held.state != DebitState.REFUSED or held.code not in OURS:
        raise RuleViolation(str(NOT_AGAIN), rule="INV-5")
    under_way = held.invoice.payments.filter(state__in=payments.LIVE).exists()
    if under_way or not collecting.collect_now(held.invoice, f"mended-{held.pk}", now=now):
        raise RuleViolation(str(NOTHING_LEFT), rule="INV-5")


@transaction.atomic
def withdraw(debit: Debit, *, now: datetime, actor: Actor = CLOCK) -> bool:
    """Take back a debit that no file holds yet; whether it was still there to take back."""
    Payment.objects.select_for_update(of=("self",)).get(pk=debit.payment_id)  # as everywhere before the debit
    gone = Debit.objects.filter(pk=debit.pk, state=DebitState.ANNOUNCED).update(
        state=DebitState.WITHDRAWN, ended_at=now
    )
    if not gone:
        return False
    payments.conclude(debit.payment_id, payments.Finding("cancelled"), now=now)
    tell("debit.withdrawn", debit, now=now, actor=actor, rule="INV-5", data=announcing.named(debit))
    return True


def hold_announced(mandate_id: int) -> None:
    """Lock the payments that are announced under a mandate: before its account and itself, as everywhere."""
    rows = Payment.objects.filter(debit__mandate=mandate_id, debit__state=DebitState.ANNOUNCED)
    list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def end_mandate(mandate: Mandate, state: str, *, now: datetime, reason: str = "", told: bool = True) -> list[Debit]:
    """Nothing more is collected under it: what was announced and is in no file yet is withdrawn, and returned. It is
    collected otherwise (`from_another_means`, `collecting.from_the_new_means`)."""
    hold_announced(mandate.pk)
    rows = list(known(Debit.objects.filter(mandate=mandate, state=DebitState.ANNOUNCED)))
    if not mandates.end(mandate, state, reason=reason, told=told, now=now):
        return []
    return [row for row in rows if withdraw(row, now=now)]


@events.subscriber("invoicing.mandate.ended", "debits.another_means")
def from_another_means(event: Event, *, now: datetime) -> None:
    """What was withdrawn with a mandate is collected from the means that invoices are collected from, once; where there
    is none, from the first that comes."""
    gone = Debit.objects.filter(
        mandate__reference=event.data["mandate"], state=DebitState.WITHDRAWN, ended_at=event.at,
        invoice__contested_at=None,
    )  # fmt: skip
    for debit in gone.select_related("invoice__account").order_by("pk"):
        if not debit.invoice.payments.filter(state__in=payments.LIVE).exists():
            collecting.collect_now(debit.invoice, anew(debit), now=now)


def anew(debit: Debit) -> str:
    """What names the one collection that takes the place of a withdrawn debit."""
    return f"anew-{debit.pk}"
