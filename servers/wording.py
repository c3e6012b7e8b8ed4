"""What actions and steps are called on pages."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from panel.accounts.selectors import names_of
from panel.core.actors import Actor
from panel.core.models import Operation
from panel.core.quantities import duration_in_words
from servers import places
from servers.actions import POWER
from servers.models import Server, ServerAction
from servers.provisioning import CREATE_STEPS
from servers.rules import Finding, Verb

VERBS: dict[str, str | Promise] = {
    Verb.CREATE: _("Set up"),
    Verb.START: pgettext_lazy("deed", "Start"),
    Verb.STOP: pgettext_lazy("deed", "Stop"),
    Verb.CUT: _("Power cut"),
    Verb.REBOOT: pgettext_lazy("deed", "Reboot"),
    Verb.RENAME: _("New name"),
    Verb.REBUILD: _("Rebuild"),
    Verb.RESCUE: _("Start of the rescue system"),
    Verb.LEAVE_RESCUE: _("End of the rescue system"),
    Verb.PROTECT: _("Protection from deletion"),
    Verb.UNPROTECT: _("End of the protection from deletion"),
    Verb.SUSPEND: _("Suspension"),
    Verb.RESUME: _("End of the suspension"),
    Verb.RESIZE: _("Change of the package or its options"),
    Verb.DESTROY: _("Removal"),
    Verb.FIREWALL: _("Change of the firewall"),
    Verb.SNAPSHOT: _("Snapshot"),
    Verb.RESTORE: _("Restoring of a copy"),
    Verb.ADDRESS: _("Move of an address"),
}
ICONS = {
    Verb.CREATE: "add", Verb.START: "play", Verb.STOP: "stop", Verb.REBOOT: "reboot", Verb.SUSPEND: "locked",
    Verb.CUT: "power", Verb.RENAME: "edit", Verb.REBUILD: "disk", Verb.RESCUE: "support", Verb.LEAVE_RESCUE: "undo",
    Verb.PROTECT: "shield", Verb.UNPROTECT: "shield", Verb.RESUME: "unlocked", Verb.RESIZE: "services",
    Verb.DESTROY: "trash", Verb.FIREWALL: "shield", Verb.SNAPSHOT: "disk",
    Verb.RESTORE: "undo", Verb.ADDRESS: "address",
}  # fmt: skip
TONES = {"waiting": "info", "done": "good", "failed": "bad", "cancelled": "neutral"}
QUESTIONS: dict[str, str | Promise] = {
    Verb.START: _("Start %(name)s?"), Verb.STOP: _("Stop %(name)s?"), Verb.REBOOT: _("Reboot %(name)s?"),
    Verb.CUT: _("Cut the power of %(name)s?"),
}  # fmt: skip
EFFECTS: dict[str, str | Promise] = {
    Verb.START: _("The machine starts with its disk as it was left."),
    Verb.STOP: _(
        "The machine is asked to shut down and has two minutes for it. Nothing on its disk is lost; nobody reaches it "
        "until it is started again."
    ),
    Verb.CUT: _(
        "As if its plug were pulled: the machine gets no time to save anything. What its programs have not written yet "
        "is lost, and files may be damaged. Stop it instead wherever that works."
    ),
    Verb.REBOOT: _("The machine is away for about a minute. Nothing on its disk is lost."),
}
OUTCOMES: dict[str, str | Promise] = {
    "waiting": _("under way"),
    "done": _("done"),
    "failed": _("failed; our team has been told"),
    "cancelled": _("not carried out: the server's state had changed"),
}
TRYING = _("the place has trouble; we keep trying, and you need not do anything")
REASONS: dict[str, str | Promise] = {
    "ignored": _("it did not shut down within two minutes and still runs; its power can be cut"),
}
CREATE_WORDS: dict[str, str | Promise] = {
    "paid": _("Payment confirmed"),
    "address": _("Address reserved"),
    "requested": _("Machine requested"),
    "running": _("Machine started, with your keys on it"),
    "ready": _("Ready, its host key pinned"),
}
FINDINGS: dict[str, str | Promise] = {
    Finding.MISSING: _("Machine missing"),
    Finding.ORPHAN: _("Machine without a server"),
    Finding.DUPLICATE: _("Second machine of a server"),
    Finding.POWER: _("Runs although suspended"),
    Finding.BLOCK_MISSING: _("Block missing"),
    Finding.BLOCK_EXTRA: _("Blocked without a reason"),
    Finding.UNREACHABLE_PLACE: _("Place does not answer"),
    Finding.METER: _("Meter silent"),
    Finding.HOST_KEY: _("Host key changed"),
    Finding.FIREWALL: _("Firewall changed at the place"),
    Finding.ADDRESS_EXTRA: _("Address on a machine that does not hold it"),
    Finding.ADDRESS_LOST: _("Address missing on its machine"),
    Finding.COPY_LOST: _("Copy of a disk missing"),
    Finding.COPY_EXTRA: _("Copy of a disk that nobody asked for"),
    Finding.PUSH: _("Message that was not the place’s"),
    Finding.UNPATCHED: _("Updates not installed in time"),
}


def creation_steps(action: ServerAction | None) -> list[dict[str, Any]]:
    """The steps of a creation for the `steps` component: what is behind us, what runs, what waits (SRV-1)."""
    reached = {step["name"]: step["at"] for step in action.steps} if action else {}
    stumbles = bool(action and action.operation and is_trying_again(action.operation))
    items, running = [], True
    for name in CREATE_STEPS:
        state = "done" if name in reached else "running" if running else "waiting"
        if name not in reached:
            running = False
            if action and action.state == ServerAction.State.FAILED and state == "running":
                state = "failed"
        items.append({
            "title": CREATE_WORDS[name], "state": state,
            "at": parse_datetime(reached[name]) if name in reached else None,
            "note": OUTCOMES["failed"] if state == "failed" else TRYING if stumbles and state == "running" else "",
        })  # fmt: skip
    return items


def is_trying_again(op: Operation) -> bool:
    """Whether it went wrong so far and is going to be tried again by itself."""
    return op.state == Operation.State.DUE and op.failures > 0


def log_entries(actions: list[ServerAction], *, reader: Actor | None = None) -> list[dict[str, Any]]:
    """The action log for the `timeline` component, people by name as `reader` may know them (None: staff)."""
    people = {action.actor_id for action in actions if action.actor_kind == "person" and action.actor_id}
    names = names_of(people, reader=reader)

    def who(action: ServerAction) -> Any:
        if action.actor_kind == "person":
            return names.get(action.actor_id or 0, settings.CLAUSE_BRAND["name"])
        return {"clock": _("by the clock"), "system": _("by the panel")}.get(action.actor_kind, "")

    return [
        {
            "title": VERBS[action.verb], "icon": ICONS[Verb(action.verb)], "tone": TONES[action.state],
            "at": action.finished_at or action.requested_at, "note": _note(action) + _took(action),
            "rule": action.because if action.because[:3].isupper() else "", "who": who(action),
        }
        for action in actions
    ]  # fmt: skip


def asked(verb: Verb) -> str:
    """What is said once a verb was asked for."""
    return gettext("%(verb)s: asked for. The page shows when it is done.") % {"verb": VERBS[verb]}


def _took(action: ServerAction) -> str:
    """How long it took from the click on, where that can be felt."""
    span = action.finished_at - action.requested_at if action.finished_at else timedelta()
    if span < timedelta(seconds=1):
        return ""
    return gettext(", in %(time)s") % {"time": duration_in_words(span)}


def _note(action: ServerAction) -> str:
    """How it ended, and what it was about."""
    facts, outcome = action.facts, REASONS.get(action.facts.get("why", "")) or OUTCOMES[action.state]
    if action.verb == Verb.RENAME:
        return f"{facts['before']} → {facts['after']}: {outcome}"
    if action.verb == Verb.REBUILD:
        return f"{places.images(action.server.place).get(facts['image'], facts['image'])}: {outcome}"
    if action.verb == Verb.ADDRESS:
        ends = [facts["from_name"] or gettext("on no server"), facts["to_name"] or gettext("on no server")]
        return f"{facts['ip']}: {' → '.join(ends)}: {outcome}"
    if action.verb == Verb.FIREWALL:
        many = facts.get("rules", 0)
        rules = ngettext("%(many)s rule", "%(many)s rules", many) % {"many": many}
        return f"{rules}: {outcome}"
    return str(outcome)


def buttons(actor: Actor, server: Server) -> list[dict[str, Any]]:
    """The power buttons: each with the reason why it does not apply now, read from the same Action the view asks."""
    return [
        {
            "verb": verb, "label": action.label, "icon": ICONS[verb], "danger": int(action.danger),
            "perilous": verb is Verb.CUT, "why": f"why-{verb}",
            "reason": action.refusal(actor, server), "effect": EFFECTS[verb],
            "question": QUESTIONS[verb] % {"name": server.name},
        }
        for verb, action in POWER.items()
        if action.permits(actor)
    ]  # fmt: skip


def reasons(made: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Why buttons are disabled, each sentence once; the buttons are pointed at theirs."""
    found: dict[str, dict[str, str]] = {}
    for button in made:
        if button["reason"]:
            text, label = str(button["reason"]), str(button["label"])
            why = found.setdefault(text, {"id": button["why"], "labels": "", "reason": text})
            why["labels"] += f", {label}" if why["labels"] else label
            button["why"] = why["id"]
    return list(found.values())
