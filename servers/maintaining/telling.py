"""Everybody concerned is told of an update of an interruption: by mail, once, in their language, and on open pages."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from invoicing.documents import texts
from invoicing.models import Subscription, SubscriptionState
from panel.accounts.models import Account
from panel.core import live, mail, operations
from panel.core.models import Operation
from panel.core.quantities import duration_in_words
from servers import places
from servers.maintaining.interruption_models import Interruption, InterruptionNotice, InterruptionUpdate
from servers.maintaining.maintenance_rules import Said
from servers.models import Server

PORTION = 200  # accounts in a transaction
NAMED = 20  # servers a mail names one by one
TEMPLATE = "servers/interruption"


def owe(update: InterruptionUpdate, *, now: datetime) -> None:
    """Have everybody concerned told; in the transaction of the update."""
    operations.enqueue(
        Tell.kind, key=f"servers.interruption:{update.pk}", now=now, subject=update.interruption,
        payload={"update": update.pk},
    )  # fmt: skip


def owe_newcomers(pk: int, *, now: datetime) -> None:
    """Have those told who came since: as many operations as there were such moments, each account told once."""
    update = InterruptionUpdate.objects.select_related("interruption").get(pk=pk)
    first = newcomers(update).order_by("pk").values_list("pk", flat=True).first()
    if first is not None:
        operations.enqueue(
            Tell.kind, key=f"servers.interruption:{update.pk}:{first}", now=now, subject=update.interruption,
            payload={"update": update.pk},
        )  # fmt: skip


def servers_of(row: Interruption) -> QuerySet[Server]:
    """The living servers it is about; none where it is about the panel itself."""
    if not row.place:
        return Server.objects.none()
    if row.pk and row.servers.exists():
        return row.servers.alive()
    return Server.objects.alive().filter(place=row.place)


def concerned(row: Interruption) -> QuerySet[Account]:
    """The accounts that have such a server, or for the panel itself a running service."""
    if row.place:
        return Account.objects.filter(Exists(servers_of(row).filter(account=OuterRef("pk"))))
    running = Subscription.objects.filter(
        account=OuterRef("pk"), state__in=[SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED]
    )
    return Account.objects.filter(Exists(running))


def newcomers(update: InterruptionUpdate) -> QuerySet[Account]:
    """Those concerned who have no mail of it yet. Of a cancelled one, those who were told of it alone."""
    told = InterruptionNotice.objects.filter(update=update, account=OuterRef("pk"))
    rows = concerned(update.interruption).filter(~Exists(told))
    if update.what == Said.ANNOUNCED:
        return rows
    expecting = InterruptionNotice.objects.filter(
        update__interruption=update.interruption, update__what=Said.ANNOUNCED, account=OuterRef("pk")
    )
    opening = update.interruption.updates.get(what=Said.ANNOUNCED)
    return rows.filter(Exists(expecting)) if opening.mailed else rows


@operations.register
class Tell(operations.Handler):
    """Writes the mails by portions, each account's once; then whoever has a page open hears of it."""

    kind = "servers.interruption"
    label = _("Tell customers of an interruption")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        update = InterruptionUpdate.objects.select_related("interruption").get(pk=op.payload["update"])
        count = 0
        while update.mailed and (some := list(newcomers(update).order_by("pk")[:PORTION])):
            with transaction.atomic():
                for account in some:
                    _write(update, account, now=now)
            count += len(some)
        topics = concerned(update.interruption).order_by("pk").values_list("pk", flat=True)
        for start in range(0, len(topics), PORTION):
            live.publish([f"account:{pk}" for pk in topics[start : start + PORTION]], self.kind)
        live.publish(["staff"], self.kind, {"id": update.interruption_id})
        return {"told": count}


def _write(update: InterruptionUpdate, account: Account, *, now: datetime) -> None:
    row, language = update.interruption, texts.language_of(account.language)
    message = mail.send(
        TEMPLATE, to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=row,
        key=f"servers.interruption:{update.pk}:{account.pk}",
        context={
            "interruption": row, "what": update.what, "title": row.titled(language), "reason": row.reasoned(language),
            "text": update.said(language), "until": update.until, "duration": _duration(row, language),
            "place": places.label(row.place) if row.place else "",
            **_named(servers_of(row).filter(account=account).order_by("name").values_list("name", flat=True)),
        },
    )  # fmt: skip
    InterruptionNotice.objects.create(update=update, account=account, mail=message)


def _duration(row: Interruption, language: str) -> str:
    with translation.override(language):
        return duration_in_words(row.ends_at - row.starts_at) if row.ends_at else ""


def _named(names: QuerySet[Server, str]) -> dict[str, Any]:
    held = list(names[: NAMED + 1])
    return {"names": held[:NAMED], "more_names": len(held) > NAMED}
