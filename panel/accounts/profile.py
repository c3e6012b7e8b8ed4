"""A person's and an account's own data; what stood there before is kept in the journal's erasable side table."""

from collections.abc import Mapping
from datetime import datetime

from django.db import models, transaction
from django.utils.translation import gettext as _

from panel.accounts import signup
from panel.accounts.models import Account, User
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

PERSON = ("name", "phone", "language", "timezone", "theme")
ACCOUNT = ("company", "name", "street", "postcode", "city", "phone", "billing_email", "billing_contact",
           "buyer_reference")  # fmt: skip


@transaction.atomic
def change_person(user_id: int, values: Mapping[str, str], *, actor: Actor, now: datetime) -> list[str]:
    """Change a person's data and preferences; the names of the fields that changed."""
    user = User.objects.select_for_update().get(pk=user_id)
    return _change(user, {name: values[name] for name in PERSON}, "accounts.person.changed", None, actor, now)


@transaction.atomic
def change_account(account_id: int, values: Mapping[str, str], *, actor: Actor, now: datetime) -> list[str]:
    """Change what stands on invoices. Country, VAT number and SIREN decide the tax (INV-10): staff changes those."""
    account = Account.objects.select_for_update().get(pk=account_id)
    wanted = {name: values[name] for name in ACCOUNT}
    return _change(account, wanted, "accounts.account.changed", account.pk, actor, now)


@transaction.atomic
def change_tax_identity(account_id: int, values: Mapping[str, str], *, actor: Actor, now: datetime) -> list[str]:
    """Change what decides the tax (`TAX`); the names of the fields that changed. Issued documents stay as they are.

    The proof of the VAT number is dropped with the number or the country it was for, and asked for anew (INV-10).
    RuleViolation when the number is none, of another country, or another account's.
    """
    account = Account.objects.select_for_update().get(pk=account_id)
    business = values["kind"] == Account.Kind.BUSINESS
    wanted = {
        "kind": values["kind"], "country": values["country"],
        "vat_number": signup.cleaned_vat_number(values["vat_number"], values["country"]) if business else "",
        "siren": signup.cleaned_siren(values["siren"]) if business else "",
    }  # fmt: skip
    for field in ("vat_number", "siren"):
        if wanted[field] and Account.objects.exclude(pk=account_id).filter(**{field: wanted[field]}).exists():
            raise RuleViolation(_("Another account has this number."), rule="ACC-5", field=field)
    if any(getattr(account, name) != wanted[name] for name in ("kind", "country", "vat_number")):
        account.vat_valid_at, account.vat_evidence = None, {}
        account.save(update_fields=["vat_valid_at", "vat_evidence"])
    return _change(account, wanted, "accounts.account.tax_changed", account.pk, actor, now)


def _change(
    row: models.Model, wanted: Mapping[str, str], kind: str, account_id: int | None, actor: Actor, now: datetime
) -> list[str]:
    before = {name: getattr(row, name) for name, value in wanted.items() if getattr(row, name) != value}
    if before:
        for name in before:
            setattr(row, name, wanted[name])
        row.save(update_fields=list(before))
        private = {name: [old, wanted[name]] for name, old in before.items()}
        events.record(
            kind,
            now=now,
            actor=actor,
            subject=row,
            account_id=account_id,
            data={"fields": list(before)},
            private=private,
        )
    return list(before)
