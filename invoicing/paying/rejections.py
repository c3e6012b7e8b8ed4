"""A means of payment that is refused (INV-5, INV-7): told each time, and after repeated refusals with the 30 days in
which a valid one must be added."""

from datetime import date, datetime, timedelta
from itertools import takewhile

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Invoice, InvoiceState, Payment, PaymentState, RejectionNotice
from invoicing.paying import collection_rules, payment_rules
from panel.accounts import terms_in_force
from panel.core import calendars, events, mail
from panel.core.actors import CLOCK, SYSTEM
from panel.core.models import Event

AUTOMATIC = "collect:"
"""How the key of a payment begins that nobody asked for by hand."""

REASONS = {
    "insufficient_funds": _("the account does not hold enough"),
    "expired_card": _("the card has expired"),
    "lost_card": _("the card is blocked"),
    "stolen_card": _("the card is blocked"),
    "AM04": _("the account does not hold enough"),
    "AC01": _("the account number is wrong"),
    "AC04": _("the account is closed"),
    "AC06": _("the account is blocked"),
    "MD01": _("there is no valid mandate"),
    "AC13": _("it is an account of another kind than the mandate says"),
    "AG01": _("this account cannot be debited"),
    "MD02": _("the bank misses something of the mandate"),
    "MD06": _("the debit was contested at the bank"),
    "MD07": _("the holder has died"),
    "MS02": _("the account holder refused it"),
    "MS03": _("the bank gives no reason"),
    "RR01": _("the bank may not carry it out: it misses the account"),
    "RR02": _("the bank may not carry it out: it misses the holder’s name or address"),
    "RR03": _("the bank may not carry it out: it misses our name or address"),
    "RR04": _("the bank may not carry it out"),
    "SL01": _("the account holder has blocked our debits at the bank"),
}
NEVER_REACHED = {payment_rules.OUT_OF_REACH, *payment_rules.OURS}
"""It never got to the customer's bank, or came back through no doing of theirs."""
UNTOLD = payment_rules.NOT_THE_CUSTOMERS - {"", collection_rules.TO_CONFIRM}
"""Trouble on the way, which the customer can do nothing about and hears nothing of."""
OTHER = _("the bank refused it")


def reason(code: str) -> str:
    """Why a payment was refused, in the active language."""
    return str(REASONS.get(code, OTHER))


def attempts(invoice: Invoice) -> list[Payment]:
    """Automatic attempts to collect an invoice that failed, oldest first."""
    rows = Payment.objects.filter(invoice=invoice, key__startswith=AUTOMATIC, state=PaymentState.FAILED)
    return list(rows.order_by("ended_at", "pk"))


def refusals(invoice: Invoice) -> list[Payment]:
    """Those that the customer's means refused (INV-7)."""
    return [one for one in attempts(invoice) if one.decline_code not in payment_rules.NOT_THE_CUSTOMERS]


def next_attempt(invoice: Invoice, *, now: datetime) -> datetime | None:
    """When an invoice is collected again after its last automatic attempt failed: what was answered after the days of
    the terms (INV-5), what never reached the means at once. None: not by itself."""
    known = attempts(invoice)
    if not known:
        return None
    last = known[-1]
    lost = len(list(takewhile(_never_reached, reversed(known))))
    if lost:
        return collection_rules.after_trouble(last.ended_at or now, lost, last.decline_code)
    answered = sum(1 for one in known if not _never_reached(one))
    waits = terms_in_force.at(invoice.account, now).collection.retry_days
    return collection_rules.next_attempt(last.ended_at or now, answered, last.decline_code, waits)


def _never_reached(payment: Payment) -> bool:
    return payment.decline_code in NEVER_REACHED


def current(account_id: int) -> RejectionNotice | None:
    """The notice whose days are running, or have run out, for an account."""
    return RejectionNotice.objects.filter(account=account_id, ended_at=None).first()


def refused(payment: Payment, *, now: datetime) -> None:
    """An automatic payment of an invoice was refused: tell the customer what follows, once for each refusal."""
    if payment.invoice is None or not payment.key.startswith(AUTOMATIC):
        return
    account, code = payment.account, payment.decline_code
    if code in UNTOLD:
        return
    version, known = terms_in_force.at(account, now), refusals(payment.invoice)
    notice = current(account.pk)
    repeated = collection_rules.is_repeated(len(known), code, version.collection.repeated)
    if notice is None and payment in known and repeated:
        notice = RejectionNotice.objects.create(
            account=account, invoice=payment.invoice, payment=payment, told_at=now, terms_version=version.name,
            replace_by=calendars.days_later(now, version.invoicing.replace_means_days),
        )  # fmt: skip
        tell("means.rejected", notice, now=now, actor=CLOCK, rule="INV-7",
             data={"invoice": payment.invoice.number, "until": notice.replace_by.isoformat()})  # fmt: skip
    again = next_attempt(payment.invoice, now=now)
    language = texts.language_of(account.language)
    with translation.override(language):
        why = reason(code)
    template = "payment_to_confirm" if code == collection_rules.TO_CONFIRM else "payment_refused"
    mail.send(
        template, to=account.billing_email, lang=language, key=f"refused:{payment.reference}", now=now,
        account_id=account.pk, subject=payment,
        context={
            "name": account.name, "invoice": payment.invoice.number, "reason": why,
            "amount": texts.money(language, payment.amount_cents), "means": str(payment.method or ""),
            "again": texts.day(language, calendars.paris_date(again)) if again else "",
            "days": version.invoicing.replace_means_days if notice else 0,
            # the days end at 24:00 Paris of their last one
            "until": texts.day(language, last_day(notice)) if notice else "",
        },
    )  # fmt: skip


def last_day(notice: RejectionNotice) -> date:
    """The last day of the 30."""
    return calendars.paris_date(notice.replace_by - timedelta(seconds=1))


@events.subscriber("invoicing.means.added", "rejections.replaced")
@events.subscriber("invoicing.invoice.paid", "rejections.paid")
@events.subscriber("invoicing.invoice.written_off", "rejections.given_up")
def paid(event: Event, *, now: datetime) -> None:
    """Nothing that was refused is owed any more: the days of INV-7 end. A means that is added is tried at once, and is
    the valid one that the rule asks for once it pays; refused too, it wins no further days."""
    owed = Invoice.objects.filter(account=event.account_id, state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE])
    rows = Payment.objects.filter(invoice__in=owed, key__startswith=AUTOMATIC, state=PaymentState.FAILED)
    if not rows.exclude(decline_code__in=payment_rules.NOT_THE_CUSTOMERS).exists():
        _end(event.account_id or 0, now=now)


def _end(account_id: int, *, now: datetime) -> None:
    for notice in RejectionNotice.objects.filter(account=account_id, ended_at=None):
        if RejectionNotice.objects.filter(pk=notice.pk, ended_at=None).update(ended_at=now):
            tell("means.rejection_ended", notice, now=now, actor=SYSTEM, rule="INV-7")
