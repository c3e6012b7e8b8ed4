"""Statements of reasons (DSA Art. 17, ABU-10): every field that the law names, before the restriction begins."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from abuse import rules
from abuse.models import Case, CaseStep, Statement
from panel.core import references
from panel.core.actors import Actor

TEXT_VERSION = "2026-01"
TYPES = {
    rules.Rung.DEACTIVATE: "address",
    rules.Rung.SUSPEND: "account",
    rules.Rung.TERMINATE: "subscription",
    rules.Rung.ELIGIBLE: "server",
}


def write(case: Case, step: CaseStep, *, source: str, actor: Actor, now: datetime) -> Statement:
    """The statement for a step that is about to be taken; `source` is the clause. Once per step."""
    known = Statement.objects.filter(key=step.once).first()
    if known is not None:
        return known
    rung = rules.Rung(step.rung)
    with translation.override(case.account.language):
        return Statement.objects.create(
            reference=references.new("SOR"), key=step.once, case=case, account_id=case.account_id, written_at=now,
            restriction_type=TYPES[rung], target=_target(case, rung), starts_at=now, duration=_duration(rung),
            facts=_facts(case), trigger="notice", automated_detection=False, automated_decision=actor.is_automatic,
            contract_ground=f"{source} ({rules.RULES[rung]}, {case.terms_version})",
            explanation=_explanation(rung),
            redress=_redress(case), language=case.account.language, text_version=TEXT_VERSION,
        )  # fmt: skip


def supersede(old: Statement, *, reason: str, actor: Actor, now: datetime) -> Statement:
    """The correcting statement after a reversal; the old one stays as it is."""
    key = f"{old.key}:reversed"
    final = old.restriction_type == TYPES[rules.Rung.TERMINATE]
    known = Statement.objects.filter(key=key).first()
    if known is not None:
        return known
    with translation.override(old.language):
        return Statement.objects.create(
            reference=references.new("SOR"), key=key, case=old.case, account_id=old.account_id, written_at=now,
            restriction_type=old.restriction_type, target=old.target, starts_at=old.starts_at,
            duration=_("reversed: the fee is credited; the subscription stays ended, see the explanation") if final
            else _("reversed: the restriction is lifted and the fee is credited"), facts=reason,
            trigger=old.trigger, automated_detection=False, automated_decision=actor.is_automatic,
            contract_ground=old.contract_ground, explanation=_correction(final=final),
            redress=old.redress, language=old.language, text_version=TEXT_VERSION, supersedes=old,
        )  # fmt: skip


def text(statement: Statement) -> str:
    """The statement as one text, for the restriction's record and the mail."""
    with translation.override(statement.language):
        lines = [
            (_("Restriction"), f"{statement.target}"),
            (_("Territory"), _("worldwide")),
            (_("Duration"), statement.duration),
            (_("Facts"), statement.facts),
            (_("Decided by automated means"), _("yes") if statement.automated_decision else _("no")),
            (_("Detected by automated means"), _("yes") if statement.automated_detection else _("no")),
            (_("Contractual ground"), statement.contract_ground),
            (_("Why it applies"), statement.explanation),
            (_("Your remedies"), statement.redress),
        ]
        return "\n".join(_("%(label)s: %(value)s") % {"label": label, "value": value} for label, value in lines)


def _target(case: Case, rung: rules.Rung) -> str:
    match rung:
        case rules.Rung.DEACTIVATE:
            return _("IP address %(address)s is deactivated") % {"address": case.address.ip}
        case rules.Rung.SUSPEND:
            return _("Account %(account)s is suspended") % {"account": case.account.reference}
        case rules.Rung.TERMINATE:
            return _("Subscription %(subscription)s is terminated") % {"subscription": case.subscription.reference}
    return _("Server %(server)s is suspended") % {"server": case.server.reference}


def _duration(rung: rules.Rung) -> str:
    if rung == rules.Rung.TERMINATE:
        return _("permanent")
    return _("until the case is resolved")


def _facts(case: Case) -> str:
    count = case.reports.count()
    said = ngettext(
        "%(count)d report about %(address)s, received on %(first)s UTC. Notice sent on %(opened)s UTC",
        "%(count)d reports about %(address)s, the first received on %(first)s UTC. Notice sent on %(opened)s UTC",
        count,
    ) % {
        "count": count,
        "address": case.address.ip,
        "first": _instant(case.reports.order_by("pk").values_list("received_at", flat=True).first()),
        "opened": _instant(case.opened_at),
    }
    accepted = _("accepted by the mail server on %(t0)s UTC") % {"t0": _instant(case.t0)} if case.t0 else ""
    return f"{said}, {accepted}." if accepted else f"{said}."


def _explanation(rung: rules.Rung) -> str:
    match rung:
        case rules.Rung.DEACTIVATE:
            return _("No response to the copyright notice came within the period that the terms give.")
        case rules.Rung.SUSPEND:
            return _("The copyright notice is still unanswered after the address was deactivated.")
        case rules.Rung.TERMINATE:
            return _("The problem was neither resolved nor contested in the period after the suspension.")
    return _("No response to the infringement notice came within the period that the terms give.")


def _correction(*, final: bool) -> str:
    said = _("On review the restriction was not justified.")
    if not final:
        return said
    return f"{said} " + _(
        "The subscription has ended and its server cannot be restored. A person of our team will write to you and "
        "offer a new server or compensation."
    )


def _redress(case: Case) -> str:
    return _(
        "Answer in the case %(case)s in your customer area or by replying to our mail: a person reads every answer, "
        "and an unjustified restriction is lifted and its fee credited. You can also turn to a certified out-of-court "
        "dispute settlement body or to a court. Contact: abuse@%(domain)s."
    ) % {"case": case.reference, "domain": settings.CLAUSE_MAIL_DOMAIN}


def _instant(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else "-"
