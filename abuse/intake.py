"""Reports in, by mail, form and API: each is kept, acknowledged and matched; few start a clock (ABU-1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from abuse import authenticity, cases, courtesy, delivery, matching, notices, reporters, reports, rules
from abuse.authenticity import Proof
from abuse.models import Case, Report, ReportBody, Reporter
from abuse.reports import Confidence, Precision, ReportDraft, Source, times
from abuse.reports.addresses import canonical
from domains.dns import Resolver
from panel.core import crash, events, files, live, references
from panel.core.actors import CLOCK, SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Blob
from servers.models import AddressHolding
from tickets import letters, mailbox, return_address
from tickets.letters import Letter
from tickets.models import Ticket

_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,190}")


@dataclass(frozen=True)
class Received:
    """What a mail turned out to be: reports, an answer in a request's thread, or a delivery report about a notice."""

    reports: list[Report] = field(default_factory=list)
    ticket: Ticket | None = None
    bounced: bool = False


@dataclass(frozen=True)
class _Origin:
    """Where drafts came from: what all reports of one message share."""

    channel: str
    reader: str
    problems: tuple[str, ...]
    proof: Proof
    reporter: Reporter | None
    good_faith: bool | None
    message_key: str
    title: str
    original: Blob | None


def receive(
    raw: bytes, *, recipients: Sequence[str] = (), resolver: Resolver, now: datetime, arrived: datetime | None = None
) -> Received:
    """A message to the abuse mailbox. `recipients`: of the envelope, if known; `arrived`: when our mail server took it,
    if it had to wait. Asks name servers, so never inside a transaction. Nothing that it contains makes it fail."""
    letter = letters.parse(raw)
    addressed = [address.lower() for address in recipients] or list(letter.recipients)
    case = _bounced_case(letter)
    if case is not None:
        delivery.bounced(case.pk, letter.bounced, now=now)
        return Received(bounced=True)
    found = mailbox.match(
        letter, [*addressed, *letter.recipients], signed=lambda mail: authenticity.is_signed(mail, resolver)
    )
    if found is not None:
        mailbox.answer(found, letter, now=min(arrived or now, now))
        return Received(ticket=found.ticket)
    reading = reports.read(raw)
    proof = authenticity.prove(letter, addressed, reporters.digests(), resolver)
    problems = (*reading.problems, *([proof.problem] if proof.problem else []))
    original = files.store(letter.raw, name="report.eml", content_type="message/rfc822", now=now)
    origin = _Origin(
        "mail", reading.reader, problems, proof, reporters.proven(proof, letter.sender), None,
        letter.message_id or hashlib.sha256(raw).hexdigest(), letter.subject[:300], original,
    )  # fmt: skip
    drafts = reading.drafts or (_unread(letter),)
    return Received(reports=_record_all(drafts, origin, letter=letter, received_at=arrived or now, now=now))


def submit(draft: ReportDraft, *, channel: str, good_faith: bool, now: datetime) -> list[Report]:
    """A report by the public form or the API (DSA Art. 16): nobody is proven there, so it waits for staff.

    RuleViolation without the bona fide statement, an explanation or an address.
    """
    if not good_faith:
        raise RuleViolation(
            _("Please confirm that you believe in good faith that the report is accurate and complete."),
            rule="ABU-1", field="good_faith",
        )  # fmt: skip
    if not draft.sources or not draft.explanation.strip():
        raise RuleViolation(_("A report needs an address and an explanation."), rule="ABU-1", field="explanation")
    key = hashlib.sha256(repr((channel, draft)).encode()).hexdigest()
    origin = _Origin(channel, channel, (), authenticity.UNKNOWN, None, good_faith, key, "", None)
    return _record_all((draft,), origin, letter=None, received_at=now, now=now)


def addresses_of(url: str, resolver: Resolver) -> list[str]:
    """The addresses behind a link's host, for a reporter who knows no IP address. ProviderError when unanswered."""
    host = urlsplit(url).hostname or ""
    own = canonical(host)
    if own is not None or not host:
        return [own] if own else []
    return [address for found in resolver.addresses(host)[:10] if (address := canonical(found))]


def _record_all(
    drafts: Sequence[ReportDraft], origin: _Origin, *, letter: Letter | None, received_at: datetime, now: datetime
) -> list[Report]:
    items: list[tuple[ReportDraft, Source | None]] = [
        (draft, source) for draft in drafts for source in (draft.sources or (None,))
    ]
    made = []
    for number, (draft, source) in enumerate(items):
        report = _record(draft, source, origin, letter=letter, alone=len(items) == 1, received_at=received_at, now=now,
                         acknowledge=number == 0 and not _answers_nobody(letter, origin))  # fmt: skip
        crash.point("abuse.report:recorded")
        made.append(report)
    return made


@transaction.atomic
def _record(
    draft: ReportDraft, source: Source | None, origin: _Origin, *, letter: Letter | None, alone: bool,
    acknowledge: bool, received_at: datetime, now: datetime,
) -> Report:  # fmt: skip
    """One report about one address: kept once, acknowledged, matched, and its case opened if it may."""
    span = draft.happened if draft.happened and times.plausible(draft.happened) else None
    report = Report(
        reference=references.new("REP"), dedupe=_key(draft, source, origin), received_at=received_at,
        channel=origin.channel, reader=origin.reader, category=draft.category, subtype=draft.subtype,
        source_ip=source.address if source else None, source_port=source.port if source else None,
        happened_from=span.start if span else None, happened_to=span.end if span else None,
        precision=span.precision if span else Precision.UNKNOWN, confidence=draft.confidence, proof=origin.proof.kind,
        reporter=origin.reporter, reporter_ref=draft.reporter_ref, language=draft.language,
        good_faith=origin.good_faith, problems=list(origin.problems)[:50], alone=alone,
    )  # fmt: skip
    try:
        with transaction.atomic():
            report.save(force_insert=True)
    except IntegrityError:
        Report.objects.filter(dedupe=report.dedupe).update(copies=F("copies") + 1)
        return Report.objects.get(dedupe=report.dedupe)
    ReportBody.objects.create(
        report=report, original=origin.original,
        reporter_name=draft.reporter_name or (letter.sender_name if letter else ""),
        reporter_email=(letter.sender if letter else "") or draft.reporter_email, title=origin.title,
        explanation=draft.explanation, work=draft.work, right_holder=draft.right_holder,
        url=source.url if source else "", written_time=draft.happened.written[:200] if draft.happened else "",
        evidence=[piece.__dict__ for piece in draft.evidence],
    )  # fmt: skip
    tell("abuse.report.received", report, actor=SYSTEM, now=now, channel=origin.channel)
    if acknowledge:
        _answer("abuse_receipt", report, now=now)
    _place(report, now=now)
    live.publish(["staff"], "abuse.report.received", {"id": report.pk})
    return report


def _place(report: Report, *, now: datetime) -> None:
    """Match it; start its case if a trusted reporter proved it; else it waits, with the reason why."""
    if report.source_ip is None:
        _wait(report, "unread")
        return
    match = matching.holder(
        str(report.source_ip), report.happened_from, report.happened_to, received_at=report.received_at
    )
    reporter = report.reporter
    if match.why == "never_ours":
        report.state, report.why = Report.State.UNMATCHED, match.why
        report.save(update_fields=["state", "why"])
        _answer("abuse_decision", report, now=now, upheld=False, not_ours=True)
    elif match.holding is None:
        _wait(report, match.why)
    elif reporter is not None and rules.may_start(
        trusted=reporter.trusted, proven=report.proof != "unknown", sure=report.confidence != Confidence.UNSURE,
        accepted=reporter.accepted, dismissed=reporter.dismissed,
    ):  # fmt: skip
        cases.open_or_join(report, match.holding, actor=CLOCK, now=now)
        Reporter.objects.filter(pk=reporter.pk).update(accepted=F("accepted") + 1)  # after the case: its lock is first
    else:
        _wait(report, "unsure" if report.confidence == Confidence.UNSURE else "unknown_reporter")


def _answer(template: str, report: Report, *, now: datetime, **context: object) -> None:
    """What nobody of staff decided to send: to a sender who proved nothing, only within the day's limits."""
    if report.proof != "unknown" or courtesy.spend(report.body.reporter_email, now=now):
        notices.to_reporter(template, report, now=now, **context)
    else:
        tell("abuse.report.not_answered", report, actor=SYSTEM, now=now, mail=template)


def _wait(report: Report, why: str) -> None:
    report.state, report.why = Report.State.WAITING, why
    report.save(update_fields=["state", "why"])


@transaction.atomic
def accept(report_id: int, *, holding: AddressHolding, category: str, actor: Actor, now: datetime) -> Case:
    """Staff: the report is sound and about this holding; its case opens, or it joins the open one (ABU-1)."""
    report = _undecided(report_id)
    if str(holding.address.ip) != report.source_ip:
        raise RuleViolation(_("This customer did not hold the reported address."), rule="ABU-1", field="holding")
    report.category = category
    report.save(update_fields=["category"])
    case = cases.open_or_join(report, holding, actor=actor, now=now)
    if report.reporter_id:
        Reporter.objects.filter(pk=report.reporter_id).update(accepted=F("accepted") + 1)
    return case


@transaction.atomic
def name_source(report_id: int, *, ip: str, happened: datetime | None, actor: Actor, now: datetime) -> Report:
    """Staff: read what no reader could, the address and the time; the report still waits for their decision."""
    report = _undecided(report_id)
    address = canonical(ip)
    if address is None:
        raise RuleViolation(_("This is not the address of one host."), rule="ABU-1", field="ip")
    report.source_ip, report.state = address, Report.State.WAITING
    if happened is not None:
        report.happened_from, report.happened_to = happened, happened + timedelta(seconds=59)
        report.precision = Precision.MINUTE
    report.save(update_fields=["source_ip", "state", "happened_from", "happened_to", "precision"])
    tell("abuse.report.read", report, actor=actor, now=now)
    return report


@transaction.atomic
def dismiss(report_id: int, *, reason: str, actor: Actor, now: datetime) -> Report:
    """Staff: no case follows; the reporter is told (DSA Art. 16(5)). The report stays."""
    report = _undecided(report_id)
    report.state, report.why = Report.State.DISMISSED, "dismissed"
    report.decided_at, report.decided_by_id = now, actor.user_id
    report.save(update_fields=["state", "why", "decided_at", "decided_by_id"])
    if report.reporter_id:
        Reporter.objects.filter(pk=report.reporter_id).update(dismissed=F("dismissed") + 1)
    tell("abuse.report.dismissed", report, actor=actor, now=now)
    notices.to_reporter("abuse_decision", report, now=now, upheld=False, reason=reason)
    return report


def _undecided(report_id: int) -> Report:
    report = Report.objects.select_for_update(of=("self",)).select_related("body", "reporter").get(pk=report_id)
    if report.state not in {Report.State.WAITING, Report.State.UNMATCHED}:
        raise RuleViolation(_("This report has been decided already."), rule="ABU-1")
    return report


def _key(draft: ReportDraft, source: Source | None, origin: _Origin) -> str:
    """The same report about the same address at the same time, however often it comes, has the same key."""
    about = [source.address if source else "", str(source.port) if source else ""]
    when = draft.happened.start.isoformat() if draft.happened else ""
    who = str(origin.reporter.pk) if origin.reporter else draft.reporter_email
    parts = [who, draft.reporter_ref, when] if draft.reporter_ref and origin.reporter else [origin.message_key]
    return hashlib.sha256("\0".join([*parts, *about]).encode()).hexdigest()


def _answers_nobody(letter: Letter | None, origin: _Origin) -> bool:
    """An automatic mail that no reader takes for a report (a vacation reply, say): a receipt could go in circles."""
    return letter is not None and letter.automatic and not origin.reader


def _unread(letter: Letter) -> ReportDraft:
    """A mail that no reader understood: kept as it is, for staff to read."""
    return ReportDraft(
        reports.Category.GENERAL, (), None, Confidence.UNSURE, reporter_email=letter.sender,
        reporter_name=letter.sender_name, explanation=letter.text[:10_000],
    )  # fmt: skip


def _bounced_case(letter: Letter) -> Case | None:
    """The case whose notice came back, proven by the return address in the part of our mail that it quotes."""
    if not letter.bounced:
        return None
    quoted = "\n".join(part.text[:20_000] for part in letter.parts) + "\n" + letters.to_text(letter.raw[-50_000:], "")
    numbers = return_address.numbers_in(_ADDRESS.findall(quoted)[:200] + list(letter.recipients))
    return Case.objects.filter(ticket__number__in=numbers).first()


def tell(event: str, report: Report, *, actor: Actor, now: datetime, **data: object) -> None:
    """An entry of the journal about the report."""
    events.record(event, now=now, actor=actor, subject=report, rule="ABU-1", data={"report": report.reference, **data})
