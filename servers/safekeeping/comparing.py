"""Copies as the panel knows them against those that a place has (SUB-14)."""

from datetime import datetime

from django.db import transaction

from panel.core.states import move
from servers import providers
from servers.action_log import told
from servers.models import Copy, Server
from servers.rules import Finding
from servers.safekeeping.copy_rules import TRANSITIONS, CopyState

OURS = "copy:"
KNOWN = (CopyState.WAITING, CopyState.READY, CopyState.FAILED, CopyState.DELETING)


def findings(
    place: str, cloud: providers.CloudProvider, *, now: datetime
) -> list[tuple[Finding, str, str, Server | None]]:
    """Copies that are gone, which from then on nobody takes for good ones, and such that nobody asked for, or asked for
    once. What is read first cannot be made or deleted in between without being told apart."""
    if not cloud.capabilities.snapshots:
        return []
    whole = dict(Copy.objects.filter(place=place, state=CopyState.READY).values_list("pk", "provider_ref"))
    there = {one.ref: one.token for one in cloud.snapshots()}
    gone = [pk for pk, ref in whole.items() if ref not in there]
    lost = [copy for copy in Copy.objects.filter(pk__in=gone).select_related("server") if _lost(copy, now)]
    for copy in Copy.objects.filter(place=place, state=CopyState.LOST).exclude(pk__in=whole).select_related("server"):
        if copy.provider_ref in there:  # a listing that lacked it was wrong
            Copy.objects.filter(pk=copy.pk, state=CopyState.LOST).update(state=CopyState.READY)
        else:
            lost.append(copy)
    words = "{0} of {0.server.reference} is gone"
    found = [(Finding.COPY_LOST, copy.reference, words.format(copy), copy.server) for copy in lost]
    return [*found, *_extra(place, there)]


@transaction.atomic
def _lost(copy: Copy, now: datetime) -> bool:
    held = Copy.objects.select_for_update(of=("self",)).select_related("server").get(pk=copy.pk)
    if held.state != CopyState.READY:
        return False  # it was deleted meanwhile
    move(held, CopyState.LOST, TRANSITIONS)
    told(held.server, "servers.copy.lost", now=now, rule="SUB-14", copy=held.reference)
    return True


def _extra(place: str, there: dict[str, str]) -> list[tuple[Finding, str, str, Server | None]]:
    known: dict[str, tuple[str, str]] = {}
    rows = Copy.objects.filter(place=place, state__in=KNOWN).values_list("reference", "provider_ref")
    for reference, its_ref in rows.iterator():
        known[f"{OURS}{reference}"] = known[providers.mark(f"{OURS}{reference}")] = (reference, its_ref)
    found: list[tuple[Finding, str, str, Server | None]] = []
    for ref, token in there.items():
        reference, its_ref = known.get(token, ("", ""))
        if not reference and token.startswith(OURS):
            found.append((Finding.COPY_EXTRA, ref, f"{ref} of the token {token!r} belongs to no copy we know", None))
        elif its_ref and its_ref != ref:
            server = Server.objects.get(copies__reference=reference)
            found.append((Finding.COPY_EXTRA, ref, f"{ref} is a second one of {reference}, which is {its_ref}", server))
    return found
