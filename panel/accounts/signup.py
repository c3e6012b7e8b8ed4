"""A person becomes a client: user, account, owner's membership and the proof of acceptance, in one transaction
(ACC-1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError as NumberError
from stdnum.fr import siren as fr_siren

from panel import terms
from panel.accounts import countries
from panel.accounts.models import Acceptance, Account, Membership, User
from panel.core import events, references
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import subject_of


@dataclass(frozen=True)
class AccountData:
    """What the sign-up form asks beside e-mail and password."""

    name: str
    phone: str
    kind: str
    company: str = ""
    country: str = "FR"
    siren: str = ""
    vat_number: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""


def cleaned_vat_number(number: str, country: str) -> str:
    """The compact form of an EU VAT number ("" stays ""); RuleViolation when its form is wrong, or when it is of
    another country than the account's: the tax follows from both (INV-10)."""
    try:
        compact = eu_vat.validate(number) if number.strip() else ""
    except NumberError:
        raise RuleViolation(_("This is not a valid EU VAT number."), rule="ACC-1", field="vat_number") from None
    if compact and compact[:2] != countries.vat_prefix(country):
        sentence = _("%(number)s is not a VAT number of %(country)s. Give the one of your own country, or none.")
        named = {"number": compact, "country": countries.name_of(country)}
        raise RuleViolation(sentence % named, rule="INV-10", field="vat_number")
    return compact


def cleaned_siren(number: str) -> str:
    """The nine digits of a SIREN ("" stays ""); RuleViolation when its check digit is wrong."""
    try:
        return fr_siren.validate(number) if number.strip() else ""
    except NumberError:
        raise RuleViolation(_("This is not a valid SIREN."), rule="ACC-1", field="siren") from None


@transaction.atomic
def open_account(
    user: User, data: AccountData, *, accepted: bool, ip: str | None, now: datetime, language: str = "en"
) -> Account:
    """Open the account of a new person. Unticked acceptance is refused (ACC-1); so is a second account of the same
    company (ACC-5): staff can merge or allow it."""
    if not accepted:
        raise RuleViolation(_("Please accept the terms to sign up."), rule="ACC-1", field="accept")
    if data.kind == Account.Kind.BUSINESS and not data.company.strip():
        raise RuleViolation(_("Please give the name of your company."), rule="ACC-1", field="company")
    account = Account(
        reference=references.new("ACC"), kind=data.kind, name=data.name, company=data.company.strip(),
        siren=cleaned_siren(data.siren), vat_number=cleaned_vat_number(data.vat_number, data.country),
        street=data.street, postcode=data.postcode, city=data.city, country=data.country, phone=data.phone,
        billing_email=user.email, language=language, created_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            account.save(force_insert=True)
    except IntegrityError:
        raise RuleViolation(
            _("This company has an account already. Ask its owner to invite you, or write to support."), rule="ACC-5",
            field="vat_number",
        ) from None  # fmt: skip
    Membership.objects.create(user=user, account=account, is_owner=True, created_at=now)
    version = terms.current(now)
    actor = Actor(kind="person", user_id=user.pk, account_id=account.pk, ip=ip)
    accept(account, user, version.documents, version, ip=ip, now=now)
    events.record(
        "accounts.account.opened", now=now, actor=actor, subject=account, account_id=account.pk, rule="ACC-1",
        private={"email": user.email, "name": data.name},
    )  # fmt: skip
    return account


def accept(
    account: Account,
    user: User,
    documents: Sequence[str],
    version: terms.Terms,
    *,
    ip: str | None,
    now: datetime,
    subject: models.Model | None = None,
) -> Acceptance:
    """Store the proof: documents with the digest of their text, instant, address and person (ACC-1, SUB-2)."""
    return Acceptance.objects.create(
        account=account, user=user, terms_version=version.name, at=now, ip=ip,
        documents=[{"document": name, "version": version.name, "sha256": version.document_digest(name)}
                   for name in documents],
        **subject_of(subject),
    )  # fmt: skip
