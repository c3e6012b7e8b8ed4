"""The means of payment an account has with the provider: kept with a payment, chosen, removed (INV-5)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from invoicing import gateways
from invoicing.gateways import Method, NewCustomer
from invoicing.journal import tell
from invoicing.models import PaymentMethod
from invoicing.paying import payment_rules, rejections, settlement
from invoicing.paying.payment_models import GatewayCustomer
from panel.accounts.models import Account
from panel.core import operations
from panel.core.actors import SYSTEM, Actor
from panel.core.models import Operation


def customer_ref(account: Account) -> str:
    """The account's name at the provider, made on first need; outside any transaction, safe to repeat."""
    provider = settings.CLAUSE_GATEWAY["kind"]
    known = GatewayCustomer.objects.filter(account=account, provider=provider).first()
    if known:
        return known.ref
    wish = NewCustomer(reference=account.reference, name=str(account), email=account.billing_email)
    made = gateways.get().create_customer(wish, key=f"customer:{account.reference}")
    kept, _ = GatewayCustomer.objects.get_or_create(account=account, provider=provider, defaults={"ref": made})
    return kept.ref


def keep(account: Account, method: Method, *, now: datetime, provider: str = "") -> PaymentMethod:
    """Note a method that the `provider` (unless named, the payment provider) keeps for the account; the first becomes
    the default, and so does one that is added because the default was refused or is about to end. Told twice, kept
    once."""
    settlement.lock_account(account.pk)
    default = PaymentMethod.objects.filter(account=account, is_default=True, removed_at=None).first()
    worn_out = default is not None and (
        default.expiry_told_at is not None or rejections.current(account.pk) is not None
    )
    first = default is None or worn_out
    if default is not None and worn_out and not PaymentMethod.objects.filter(ref=method.ref).exists():
        PaymentMethod.objects.filter(pk=default.pk).update(is_default=False)
    kept, new = PaymentMethod.objects.get_or_create(
        provider=provider or settings.CLAUSE_GATEWAY["kind"], ref=method.ref,
        defaults={
            "account": account, "kind": method.kind, "brand": method.brand, "last4": method.last4,
            "exp_month": method.exp_month, "exp_year": method.exp_year, "is_default": first, "added_at": now,
            "mandate_reference": method.mandate[:35], "mandate_signed_at": now if method.mandate else None,
        },
    )  # fmt: skip
    if new:
        tell("means.added", kept, now=now, actor=SYSTEM, data=named(kept))
    return kept


def named(method: PaymentMethod) -> dict[str, Any]:
    """For the journal, which is never changed: its digits stand on the row alone, where they can be erased."""
    return {"method": method.pk, "kind": method.kind}


@transaction.atomic
def make_default(method: PaymentMethod, *, actor: Actor, now: datetime) -> None:
    """From now on invoices are collected from this one (INV-5)."""
    settlement.lock_account(method.account_id)
    PaymentMethod.objects.filter(account=method.account_id, is_default=True).update(is_default=False)
    if PaymentMethod.objects.filter(pk=method.pk, removed_at=None).update(is_default=True):
        tell("means.default", method, now=now, actor=actor, data=named(method))


@transaction.atomic
def remove(method: PaymentMethod, *, actor: Actor, now: datetime) -> None:
    """No later payment uses it; the provider is told to forget it. A mandate of our own is ended by `mandates.end`."""
    gone = PaymentMethod.objects.filter(pk=method.pk, removed_at=None).update(removed_at=now, is_default=False)
    if gone:
        if method.provider != payment_rules.OWN:
            operations.enqueue(
                ForgetMethod.kind, key=f"forget:{method.provider}:{method.ref}", now=now, account_id=method.account_id,
                subject=method, payload={"method": method.pk},
            )  # fmt: skip
        tell("means.removed", method, now=now, actor=actor, data=named(method))


class ProviderCall(operations.Handler):
    """A question to the payment provider. Its page and what a card looks like go to rows of their own (PRV-4)."""

    def to_keep(self, result: dict[str, Any]) -> dict[str, Any]:
        return gateways.without_personal_values(result)


@operations.register
class ForgetMethod(operations.Handler):
    """Detaches a removed card or mandate at the provider; repeating it is harmless."""

    kind = "payments.forget_method"
    label = _("Have the payment provider forget a means of payment")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        gateways.get().forget_method(PaymentMethod.objects.get(pk=op.payload["method"]).ref)
        return {}
