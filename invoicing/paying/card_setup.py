"""Keeping a card without paying: the provider's page is opened, visited, and what it kept is noted (INV-5).

As with payments, what the customer or the provider says only makes us look; the truth is asked for (INV-12).
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from invoicing import gateways
from invoicing.gateways import CheckoutWish, Method
from invoicing.journal import tell
from invoicing.models import CardSetup, SetupState
from invoicing.paying import means
from panel.accounts.models import Account
from panel.core import operations, references
from panel.core.actors import SYSTEM, Actor
from panel.core.models import Operation

OPEN, LOOK = "payments.open_setup", "payments.look_setup"
LIVE = (SetupState.NEW, SetupState.WAITING)


@transaction.atomic
def begin(account: Account, *, return_url: str, key: str, actor: Actor, now: datetime, kind: str = "card") -> CardSetup:
    """Have the provider's page opened for a "card" or a "sepa" mandate, once per `key`; its address stands on the row
    when the worker has been."""
    setup = CardSetup(
        reference=references.new("CARD"), account=account, key=key, kind=kind, return_url=return_url, created_at=now
    )
    try:
        with transaction.atomic():
            setup.save(force_insert=True)
    except IntegrityError:
        return CardSetup.objects.get(key=key, account=account)
    operations.enqueue(
        OPEN, key=f"setup:{setup.reference}", now=now, account_id=account.pk, subject=setup,
        payload={"setup": setup.pk},
    )  # fmt: skip
    tell("means.setup_started", setup, now=now, actor=actor, data={"setup": setup.reference})
    return setup


@transaction.atomic
def came_back(setup: CardSetup, *, now: datetime) -> None:
    """The customer returned from the provider's page (at most one question in 5 s)."""
    if setup.state in LIVE:
        _look(setup, f"back:{int(now.timestamp()) // 5}", now=now)


def told(reference: str, because: str, *, now: datetime) -> None:
    """The provider said something about it; inside the transaction that keeps what it said."""
    setup = CardSetup.objects.filter(reference=reference, state__in=LIVE).first()
    if setup is not None:
        _look(setup, because, now=now)


def _look(setup: CardSetup, because: str, *, now: datetime) -> None:
    operations.enqueue(
        LOOK, key=f"look:{setup.reference}:{because}", now=now, account_id=setup.account_id, subject=setup,
        payload={"setup": setup.pk},
    )  # fmt: skip


def _conclude(setup_id: int, state: str, method: Mapping[str, Any] | None, *, now: datetime) -> None:
    setup = CardSetup.objects.select_for_update(of=("self",)).select_related("account").get(pk=setup_id)
    if setup.state not in LIVE:
        return
    kept = means.keep(setup.account, Method(**method), now=now) if method else None
    CardSetup.objects.filter(pk=setup.pk).update(state=state, method=kept, ended_at=now, action_url="")
    tell(f"means.setup_{state}", setup, now=now, actor=SYSTEM, data={"setup": setup.reference})


@operations.register
class OpenSetup(means.ProviderCall):
    """Opens the page; the same key gives the same page, so a lost answer costs nothing."""

    kind = OPEN
    label = _("Open the page that keeps a card")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        setup = CardSetup.objects.select_related("account").get(pk=op.payload["setup"])
        wish = CheckoutWish(
            customer=means.customer_ref(setup.account), success_url=setup.return_url, cancel_url=setup.return_url,
            description=str(settings.CLAUSE_BRAND["name"]), language=setup.account.language,
            metadata={"setup": setup.reference}, kind=setup.kind,
        )  # fmt: skip
        page = gateways.get().start_checkout(wish, key=f"setup:{setup.reference}")
        return {"checkout": page.ref, "url": page.url}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        moved = CardSetup.objects.filter(pk=op.payload["setup"], state=SetupState.NEW).update(
            state=SetupState.WAITING, checkout_ref=result["checkout"], action_url=result["url"]
        )
        if moved:
            setup = CardSetup.objects.get(pk=op.payload["setup"])
            tell("means.setup_waiting", setup, now=now, actor=SYSTEM, data={"setup": setup.reference})

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        _conclude(op.payload["setup"], SetupState.FAILED, None, now=now)


@operations.register
class LookAtSetup(means.ProviderCall):
    """Asks the provider what became of the page."""

    kind = LOOK
    label = _("Ask whether a card was kept")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        setup = CardSetup.objects.get(pk=op.payload["setup"])
        if setup.state not in LIVE or setup.checkout_ref is None:
            return {}
        page = gateways.get().checkout(setup.checkout_ref)
        return {"page": page.state, "method": asdict(page.method) if page.method else None}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if result.get("method"):
            _conclude(op.payload["setup"], SetupState.DONE, result["method"], now=now)
        elif result.get("page") == "expired":
            _conclude(op.payload["setup"], SetupState.FAILED, None, now=now)
