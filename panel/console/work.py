"""My work: what waits for a person, by role, from every app. Each queue is one count and one short read."""

from collections.abc import Callable
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from abuse.models import OWED, Case, CaseStep, Pause, Report
from invoicing import actions as invoicing_actions
from invoicing.accounting import reconciling
from invoicing.banking import bank_files
from invoicing.debiting import debit_selectors
from invoicing.funding import taken_back
from invoicing.models import (
    BillingRun,
    Contest,
    ContestState,
    LateInvoice,
    OrderReview,
    ReviewState,
    RunState,
    Suspension,
    SuspensionState,
    Termination,
    TerminationState,
)
from invoicing.selling_by_hand import unmet
from panel.accounts import actions as account_actions
from panel.accounts.models import Approval
from panel.console import actions, server_queues
from panel.console.queues import Queue, Row, queue
from panel.core import operations, ticking
from panel.core.actors import Actor
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.mail import SendMail
from panel.core.models import Operation
from panel.core.money import format_eur
from servers import actions as server_actions
from tickets.models import Ticket

UNCONFIRMED_AFTER = timedelta(days=1)


def queues(actor: Actor, *, now: datetime) -> list[Queue]:
    """The queues this person has a part in, the empty ones too: an empty queue is good news."""
    parts: list[tuple[bool, Callable[[datetime], Queue]]] = [
        (actor.has_role("abuse"), _answers),
        (actor.has_role("abuse"), _due_cases),
        (actor.has_role("abuse"), _held_steps),
        (actor.has_role("abuse"), _amends),
        (actor.has_role("abuse"), _reports),
        (account_actions.STAFF_APPROVE.permits(actor), _approvals),
        (invoicing_actions.STAFF_SUSPEND.permits(actor), _suspensions),
        (invoicing_actions.STAFF_END_UNPAID.permits(actor), _terminations),
        (invoicing_actions.STAFF_CONTEST.permits(actor), _contests),
        (invoicing_actions.STAFF_REVIEWS.permits(actor), _order_reviews),
        (invoicing_actions.STAFF_RATES.permits(actor), _held_interest),
        (actions.RETRY.permits(actor), _failed),
        (actions.RETRY.permits(actor), _failing_sweeps),
        (actor.has_role("support", "billing", "abuse"), _tickets),
        (actor.has_role("infrastructure"), server_queues.discrepancies),
        (server_actions.SEE_READINGS.permits(actor), server_queues.doubtful_readings),
        (actor.has_role("infrastructure"), server_queues.required_updates),
        (invoicing_actions.STAFF_BANK.permits(actor), _receipts),
        (invoicing_actions.MAKE_DEBITS.permits(actor), _debits_to_file),
        (invoicing_actions.MAKE_DEBITS.permits(actor), _missed_debits),
        (invoicing_actions.MAKE_DEBITS.permits(actor), _files_to_hand_over),
        (invoicing_actions.MAKE_DEBITS.permits(actor), _silent_debits),
        (invoicing_actions.STAFF_LEDGER.permits(actor), _differences),
        (actions.MAIL.permits(actor), _lost_mail),
        (actor.has_role("billing"), _taken_back),
        (invoicing_actions.STAFF_SELL.permits(actor), _unmet),
        (actor.has_role("billing"), _short_runs),
        (actor.has_role("support"), _unconfirmed),
    ]
    return [make(now) for allowed, make in parts if allowed]


def waiting(actor: Actor, *, now: datetime) -> int:
    """How many things wait for this person; the figure in the navigation."""
    return sum(queue.total for queue in queues(actor, now=now))


def _money(cents: int) -> str:
    return format_eur(cents, get_language() or "en")


def _case_url(case: Case) -> str:
    return reverse("abuse_staff:case_detail", args=[case.reference])


def _answers(now: datetime) -> Queue:
    """ABU-9: the clock stands until staff has judged."""
    judged = (Pause.Reason.ANSWER, Pause.Reason.COMPLAINT)
    rows = Pause.objects.filter(until=None, reason__in=judged).select_related("case__account").order_by("since")
    return queue(
        rows, lambda row: Row(row.case.reference, _case_url(row.case), str(row.case.account), since=row.since),
        title=_("Answers to judge"), icon="review", url=reverse("abuse_staff:case_list"),
    )  # fmt: skip


def _due_cases(now: datetime) -> Queue:
    """Cases whose next step comes within a day, and those whose notice reached nobody."""
    soon = Q(due_at__lte=now + timedelta(days=1)) | Q(unnoticed_at__isnull=False, t0=None)
    rows = Case.objects.filter(soon, closed_at=None).select_related("account").order_by("due_at")
    return queue(
        rows,
        lambda row: Row(
            row.reference, _case_url(row), _("nobody was reached") if row.t0 is None else str(row.account),
            due=row.due_at
        ),
        title=_("Cases due today"), icon="cases", url=reverse("abuse_staff:case_list"), tone="bad",
    )  # fmt: skip


def _held_steps(now: datetime) -> Queue:
    """Steps of a ladder that are kept back and that no open approval will release (ABU-12 refused, protected ...)."""
    held = CaseStep.objects.filter(state=CaseStep.State.HELD, released_at=None, case__closed_at=None)
    rows = held.exclude(approval__state=Approval.State.OPEN).select_related("case__account").order_by("held_at")
    return queue(
        rows, lambda row: Row(row.case.reference, _case_url(row.case), str(row.case.account), since=row.held_at),
        title=_("Steps kept back"), icon="hourglass", url=reverse("abuse_staff:case_list"),
    )  # fmt: skip


def _amends(now: datetime) -> Queue:
    """ABU-10: a reversal came after the subscription had ended; the customer is owed a new server or compensation."""
    rows = CaseStep.objects.filter(OWED).select_related("case__account").order_by("undone_at")
    return queue(
        rows, lambda row: Row(row.case.reference, _case_url(row.case), str(row.case.account), since=row.undone_at),
        title=_("Offers owed after a reversal"), icon="scale", url=reverse("abuse_staff:case_list") + "?show=owed",
    )  # fmt: skip


def _reports(now: datetime) -> Queue:
    """ABU-1: an unknown reporter's notice starts no clock before staff has looked."""
    rows = Report.objects.filter(state__in=(Report.State.WAITING, Report.State.UNMATCHED)).order_by("received_at")
    return queue(
        rows,
        lambda row: Row(
            row.reference, reverse("abuse_staff:report_detail", args=[row.pk]), f"{row.source_ip or '?'}",
            since=row.received_at
        ),
        title=_("Reports to look at"), icon="reports", url=reverse("abuse_staff:report_list"),
    )  # fmt: skip


def _approvals(now: datetime) -> Queue:
    url = reverse("console:approval_list")
    rows = Approval.objects.filter(state=Approval.State.OPEN).order_by("pk")
    return queue(
        rows, lambda row: Row(row.summary, url, row.rule, since=row.asked_at),
        title=_("A second person is needed"), icon="approvals", url=url,
    )  # fmt: skip


def _suspensions(now: datetime) -> Queue:
    """SUB-8: debts that a rule lets suspend for; a person decides."""
    url = reverse("invoicing_staff:suspensions")
    rows = Suspension.objects.filter(state=SuspensionState.PROPOSED).select_related("account", "invoice").order_by("pk")
    return queue(
        rows, lambda row: Row(str(row.account), url, f"{row.rule} · {row.invoice.number}", since=row.proposed_at),
        title=_("Suspensions to decide"), icon="locked", url=url,
    )  # fmt: skip


def _terminations(now: datetime) -> Queue:
    """SUB-8: what is still unpaid after the suspension; a person decides whether services end."""
    url = reverse("invoicing_staff:suspensions")
    rows = Termination.objects.filter(state=TerminationState.PROPOSED).select_related("account", "suspension__invoice")
    return queue(
        rows.order_by("pk"),
        lambda row: Row(str(row.account), url, row.suspension.invoice.number, since=row.proposed_at),
        title=_("Ends of unpaid services to decide"), icon="closed", url=url, tone="bad",
    )  # fmt: skip


def _contests(now: datetime) -> Queue:
    """TIC-6: disputed invoices and late fees, the one that is due first at the top."""
    rows = Contest.objects.filter(state=ContestState.OPEN).select_related("account", "invoice").order_by("due_at")
    late = rows.filter(due_at__lt=now).exists()
    return queue(
        rows,
        lambda row: Row(
            row.invoice.number, reverse("tickets_staff:ticket_detail", args=[row.reference]), str(row.account),
            due=row.due_at,
        ),
        title=_("Disputed invoices to decide"), icon="scale",
        url=reverse("tickets_staff:ticket_list") + "?department=billing", tone="bad" if late else "warn",
    )  # fmt: skip


def _order_reviews(now: datetime) -> Queue:
    """SUB-4: orders held for a person; the customer was promised an answer."""
    rows = OrderReview.objects.filter(state=ReviewState.WAITING).select_related("account", "order").order_by("due_at")
    return queue(
        rows,
        lambda row: Row(
            row.order.reference, reverse("invoicing_staff:review_detail", args=[row.pk]), str(row.account),
            due=row.due_at
        ),
        title=_("Orders to check"), icon="review", url=reverse("invoicing_staff:review_list"),
    )  # fmt: skip


def _held_interest(now: datetime) -> Queue:
    """INV-8: late interest that waits for a legal rate nobody has entered."""
    url = reverse("invoicing_staff:rates")
    rows = LateInvoice.objects.filter(closed_at=None).exclude(held_for="").select_related("invoice").order_by("pk")
    return queue(
        rows, lambda row: Row(row.invoice.number, url, row.held_for), title=_("Late interest held: no legal rate"),
        icon="percent", url=url,
    )  # fmt: skip


def _failed(now: datetime) -> Queue:
    rows = Operation.objects.filter(state=Operation.State.FAILED).exclude(kind=SendMail.kind).order_by("-pk")
    return queue(
        rows,
        lambda row: Row(
            _label(row.kind), reverse("console:operation_detail", args=[row.pk]), row.last_error[:120],
            since=row.finished_at
        ),
        title=_("Operations that gave up"), icon="operations", url=reverse("console:operation_list"), tone="bad",
    )  # fmt: skip


def _failing_sweeps(now: datetime) -> Queue:
    """What happens by itself, and fails at every run: each row it fails at is left undone until somebody looks."""
    url = reverse("console:health")
    return queue(
        ticking.failing(),
        lambda tick: Row(tick.name, url, tick.last_report["failed"][-1][:120], since=ticking.failing_since(tick)),
        title=_("Sweeps that fail"), icon="clock", url=url, tone="bad",
    )  # fmt: skip


def _label(kind: str) -> str:
    handler = operations.HANDLERS.get(kind)
    return str(handler.label) if handler else kind


def _tickets(now: datetime) -> Queue:
    rows = Ticket.objects.filter(waiting_since__isnull=False).order_by("waiting_since").select_related("account")
    return queue(
        rows,
        lambda row: Row(
            row.title, reverse("tickets_staff:ticket_detail", args=[row.number]), f"{row.number} · {row.account}",
            since=row.waiting_since,
        ),
        title=_("Requests that wait for us"), icon="tickets", url=reverse("tickets_staff:ticket_list"),
    )  # fmt: skip


def _differences(now: datetime) -> Queue:
    """What the provider, the books, the invoices and the services do not agree upon (INV-11)."""
    url = reverse("invoicing_staff:reconciliation")
    return queue(
        reconciling.open_ones(), lambda row: Row(row.get_kind_display(), url, row.ref, since=row.first_seen),
        title=_("Money that does not agree"), icon="scale", url=url, tone="bad",
    )  # fmt: skip


def _receipts(now: datetime) -> Queue:
    """INV-11: money that has come and settles nothing yet; meanwhile its payer is reminded."""
    return queue(
        bank_files.waiting(),
        lambda row: Row(
            row.payer or row.bank_ref, reverse("invoicing_staff:bank_receipt", args=[row.pk]),
            f"{_money(row.cents)} · {row.explained}", since=start_of_paris_day(row.booked_on),
        ),
        title=_("Bank transfers to match"), icon="coin", url=reverse("invoicing_staff:bank_list"),
    )  # fmt: skip


def _debits_to_file(now: datetime) -> Queue:
    """INV-5: announced debits that reach their day only in a file that is made now."""
    url = reverse("invoicing_staff:debit_list")
    return queue(
        debit_selectors.to_file(now),
        lambda row: Row(
            row.invoice.number, f"{url}?until={row.debit_on.isoformat()}", f"{_money(row.cents)} · {row.account}",
            due=start_of_paris_day(row.debit_on),
        ),
        title=_("Direct debits that need a file"), icon="coin", url=url,
    )  # fmt: skip


def _missed_debits(now: datetime) -> Queue:
    """INV-5: debits whose announced days passed twice without a file; their payers are told no other day before a
    person says so."""
    return queue(
        debit_selectors.missed(now),
        lambda row: Row(
            row.invoice.number, reverse("invoicing_staff:debit_detail", args=[row.pk]),
            f"{_money(row.cents)} · {row.account}", since=start_of_paris_day(row.debit_on),
        ),
        title=_("Direct debits whose days passed"), icon="calendar", url=reverse("invoicing_staff:debit_list"),
        tone="bad",
    )  # fmt: skip


def _files_to_hand_over(now: datetime) -> Queue:
    """INV-5: files of debits that nobody has given to the bank."""
    rows = debit_selectors.to_hand_over()
    late = rows.filter(debits__debit_on__lte=paris_date(now)).exists()
    return queue(
        rows,
        lambda row: Row(
            row.reference, reverse("invoicing_staff:debit_batch_detail", args=[row.reference]),
            _money(row.total_cents), due=start_of_paris_day(row.first_day) if row.first_day else None,
            since=row.made_at,
        ),
        title=_("Files to hand to the bank"), icon="upload", url=reverse("invoicing_staff:debit_batch_list"),
        tone="bad" if late else "warn",
    )  # fmt: skip


def _silent_debits(now: datetime) -> Queue:
    """INV-11: debits of which the bank has not said what came of them; nobody is reminded meanwhile."""
    return queue(
        debit_selectors.silent(now),
        lambda row: Row(
            row.invoice.number, reverse("invoicing_staff:debit_detail", args=[row.pk]),
            f"{_money(row.cents)} · {row.account}", since=start_of_paris_day(row.debit_on),
        ),
        title=_("Direct debits without the bank's word"), icon="hourglass", url=reverse("invoicing_staff:bank_list"),
        tone="bad",
    )  # fmt: skip


def _taken_back(now: datetime) -> Queue:
    """Funds that were spent before a bank took them back: owed, and on no invoice (INV-11)."""
    return queue(
        taken_back.outstanding().select_related("account", "payment"),
        lambda row: Row(
            str(row.account), reverse("invoicing_staff:payment_detail", args=[row.payment.reference]),
            f"{format_eur(row.left, get_language() or 'en')} \u00b7 {row.payment.reference}", since=row.opened_at,
        ),
        title=_("Spent funds that a bank took back"), icon="wallet",
        url=reverse("invoicing_staff:payment_list") + "?state=disputed", tone="bad",
    )  # fmt: skip


def _unmet(now: datetime) -> Queue:
    """INV-11: what was agreed upon about a payment, when its money had been spent meanwhile."""
    return queue(
        unmet.waiting(),
        lambda row: Row(
            str(row.account),
            reverse("invoicing_staff:payment_detail", args=[row.payment.reference]) if row.payment
            else reverse("invoicing_staff:manual_payment", args=[row.received_id]),
            f"{_money(row.cents)} · {row.payment or row.received}", since=row.at,
        ),
        title=_("Agreed upon, but the money was spent"), icon="alarm",
        url=reverse("invoicing_staff:payment_list"), tone="bad",
    )  # fmt: skip


def _lost_mail(now: datetime) -> Queue:
    rows = Operation.objects.filter(state=Operation.State.FAILED, kind=SendMail.kind).order_by("-pk")
    return queue(
        rows,
        lambda row: Row(
            row.payload.get("template", ""), reverse("console:operation_detail", args=[row.pk]), row.last_error[:120],
            since=row.finished_at,
        ),
        title=_("Mails that reached nobody"), icon="mail-off", url=reverse("console:mail_list") + "?state=failed",
    )  # fmt: skip


def _short_runs(now: datetime) -> Queue:
    """Billing runs that did not bill everything that was due."""
    rows = BillingRun.objects.filter(state=RunState.SHORT, dry=False).order_by("-pk")
    return queue(
        rows,
        lambda row: Row(
            _("%(failed)s of %(expected)s subscriptions not billed") % {
                "failed": row.expected - row.looked_at + row.failed, "expected": row.expected
            },
            reverse("invoicing_staff:run_detail", args=[row.pk]), since=row.created_at,
        ),
        title=_("Billing runs that fell short"), icon="invoice", url=reverse("invoicing_staff:run_list"), tone="bad",
    )  # fmt: skip


def _unconfirmed(now: datetime) -> Queue:
    """ACC-2: addresses that were never confirmed; their people cannot order."""
    rows = EmailAddress.objects.filter(
        verified=False, primary=True, user__memberships__is_owner=True, user__created_at__lte=now - UNCONFIRMED_AFTER
    ).select_related("user").prefetch_related("user__memberships__account").order_by("-pk")  # fmt: skip

    def make(row: EmailAddress) -> Row:
        account = row.user.memberships.all()[0].account
        return Row(
            str(account), reverse("console:customer_detail", args=[account.reference]), since=row.user.created_at
        )

    return queue(
        rows, make, title=_("Addresses not confirmed"), icon="mail", url=reverse("console:customer_list"), tone="info"
    )
