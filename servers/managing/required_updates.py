"""Updates that the customer must install themselves: announced by mail, reminded of, and after their working days ours
to install and to bill (SUB-11)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.issuing import charging
from panel import terms
from panel.core import calendars, due, events, mail, references
from panel.core.actors import CLOCK, SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event, MailMessage
from panel.core.money import Cents
from panel.terms.numbers import UpdateTerms
from servers.action_log import told
from servers.managing import managed_actions as actions
from servers.managing import patch_rules
from servers.models import RequiredUpdate, Server
from servers.verbs.power import hold

RULE = "SUB-11"
ANNOUNCEMENT = "servers/update_required"
LONGEST_WORK = 24 * 60  # minutes of one update
AT_ONCE = 500
State = RequiredUpdate.State
OPEN = (State.ANNOUNCED, State.DUE)


def law_of(row: RequiredUpdate) -> UpdateTerms:
    """The terms that the server's subscription began under."""
    return terms.version(row.terms_version).updates


@transaction.atomic
def announce(server: Server, *, title: str, why: str, actor: Actor, now: datetime) -> RequiredUpdate:
    """Staff requires an update of what the customer runs; the clock begins when the mail server took the e-mail.

    RuleViolation without a title or a reason (fields "title", "why"), PermissionDenied for who may not.
    """
    server = hold(server)
    actions.REQUIRE_UPDATE.check(actor, server)
    for name, words in (("title", title), ("why", why)):
        if not words.strip():
            raise RuleViolation(_("Say it: the customer reads it."), rule=RULE, field=name)
    row = RequiredUpdate.objects.create(
        reference=references.new("UPD"), server=server, account_id=server.account_id, title=title.strip()[:120],
        why=why.strip()[:4000], terms_version=server.subscription.terms_version, announced_at=now,
    )  # fmt: skip
    _mail(row, ANNOUNCEMENT, now=now)
    _tell(row, "required", actor=actor, now=now)
    return row


@events.subscriber("core.mail.accepted", "servers.required_updates")
def heard(event: Event, *, now: datetime) -> None:
    """SUB-11: the working days begin with the e-mail."""
    if event.data.get("template") != ANNOUNCEMENT:
        return
    row = RequiredUpdate.objects.select_for_update().get(pk=event.data["about_id"])
    if row.told_at is None and row.state == State.ANNOUNCED:
        row.told_at = MailMessage.objects.get(pk=event.data["mail"]).accepted_at or now
        row.until = patch_rules.until(row.told_at, law_of(row))
        row.save(update_fields=["told_at", "until"])


@transaction.atomic
def done(row: RequiredUpdate, *, actor: Actor, now: datetime) -> RequiredUpdate:
    """The customer has installed it, in time or late: as long as we have not, nothing is billed. RuleViolation where it
    is over, PermissionDenied for who may not."""
    row = _open(row)
    actions.ANSWER_UPDATE.check(actor, row.server)
    return _end(row, State.DONE, "done", actor=actor, now=now)


@transaction.atomic
def withdraw(row: RequiredUpdate, *, actor: Actor, now: datetime) -> RequiredUpdate:
    """Staff takes it back: it is not needed any more."""
    row = _open(row)
    actions.REQUIRE_UPDATE.check(actor, row.server)
    return _end(row, State.WITHDRAWN, "withdrawn", actor=actor, now=now)


@transaction.atomic
def installed(row: RequiredUpdate, minutes: int, *, actor: Actor, now: datetime) -> RequiredUpdate:
    """We have installed it, in so many minutes of work; the hourly rate is billed at once, and once.

    RuleViolation before the customer's working days are over, or for a time that cannot be (field "minutes");
    PermissionDenied for who may not.
    """
    row = _open(row)
    actions.INSTALL_UPDATE.check(actor, row.server)
    if row.until is None or not calendars.is_missed(now, row.until):
        raise RuleViolation(_("The customer still has time to install it themselves."), rule=RULE)
    if not 0 < minutes <= LONGEST_WORK:
        raise RuleViolation(
            _("Between 1 and %(most)s minutes.") % {"most": LONGEST_WORK}, rule=RULE, field="minutes"
        )  # fmt: skip
    row.minutes = minutes
    charging.charge(
        row.account, fee_of(row, minutes), description_key="required_update", because=row, rule=RULE,
        once=fee_key(row), terms_version=row.terms_version, now=now, actor=actor,
    )  # fmt: skip
    _mail(row, "servers/update_installed", now=now, minutes=minutes, cents=fee_of(row, minutes))
    return _end(row, State.INSTALLED, "installed", actor=actor, now=now)


def fee_of(row: RequiredUpdate, minutes: int) -> Cents:
    """What so many minutes of our work cost, excluding VAT."""
    return patch_rules.fee(minutes, law_of(row))


def rate_of(server: Server) -> UpdateTerms:
    """The working days and the hourly rate that would apply to an update required now."""
    return terms.version(server.subscription.terms_version).updates


def fee_key(row: RequiredUpdate) -> str:
    """What its charge is known by."""
    return f"{RULE}:{row.reference}"


@due.sweep("servers.updates", every_seconds=900)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SUB-11: who has few working days left is reminded; what nobody installed in time is put before staff."""
    rows = RequiredUpdate.objects.filter(state=State.ANNOUNCED).exclude(until=None).order_by("until", "pk")
    ready = [row.pk for row in rows if _is_over(row, now) or _reminders(row, now) > row.reminded]
    if dry_run:
        return due.SweepReport(would=[f"remind of or hand to staff required update {pk}" for pk in ready])
    return due.each(ready[:AT_ONCE], lambda pk: _walk(pk, now))


def _is_over(row: RequiredUpdate, now: datetime) -> bool:
    return row.until is not None and calendars.is_missed(now, row.until)


def _reminders(row: RequiredUpdate, now: datetime) -> int:
    """How many reminders are due by now."""
    if row.told_at is None:
        return 0
    return sum(instant <= now for instant in patch_rules.reminders(row.told_at, law_of(row)))


def _walk(pk: int, now: datetime) -> None:
    row = RequiredUpdate.objects.select_for_update(of=("self",)).select_related("server", "account").get(pk=pk)
    if row.state != State.ANNOUNCED:
        return
    if _is_over(row, now):
        row.state = State.DUE
        row.save(update_fields=["state"])
        _mail(row, "servers/update_due", now=now)
        _tell(row, "due", actor=CLOCK, now=now)
    elif (count := _reminders(row, now)) > row.reminded:
        row.reminded = count  # after a gap of the clock one reminder stands for all it missed
        row.save(update_fields=["reminded"])
        _mail(row, "servers/update_reminder", now=now, mark=str(count))
        _tell(row, "reminded", actor=CLOCK, now=now)


def _open(row: RequiredUpdate) -> RequiredUpdate:
    held = RequiredUpdate.objects.select_for_update(of=("self",)).select_related("server", "account").get(pk=row.pk)
    if held.state not in OPEN:
        raise RuleViolation(_("This update is settled already."), rule=RULE)
    return held


def _end(row: RequiredUpdate, state: State, event: str, *, actor: Actor, now: datetime) -> RequiredUpdate:
    row.state, row.ended_at = state, now
    row.save()
    _tell(row, event, actor=actor, now=now)
    return row


def _mail(
    row: RequiredUpdate, template: str, *, now: datetime, mark: str = "", minutes: int = 0, cents: Cents = 0
) -> None:  # fmt: skip
    last_day = calendars.last_day_before(row.until) if row.until else None
    mail.send(
        template, to=row.account.billing_email, lang=row.account.language, now=now, account_id=row.account_id,
        subject=row, key=f"{template}:{row.pk}:{mark}",
        context={"row": row, "server": row.server, "law": law_of(row), "minutes": minutes, "cents": cents,
                 "last_day": last_day},
    )  # fmt: skip


def _tell(row: RequiredUpdate, what: str, *, actor: Actor = SYSTEM, now: datetime) -> None:
    told(row.server, f"servers.update.{what}", now=now, actor=actor, rule=RULE, update=row.reference)
