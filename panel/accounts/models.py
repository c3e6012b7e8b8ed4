"""Users, accounts and memberships; acceptances; restrictions and approvals; API tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from panel.accounts import permissions
from panel.core import triggers
from panel.core.actors import Actor
from panel.core.prepared import Prepared, slot
from panel.core.querysets import TenantQuerySet


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who can log in; member of any number of accounts, or staff by a StaffRole."""

    email = models.EmailField(_("E-mail"), unique=True)
    name = models.CharField(_("Name"), max_length=120)
    phone = models.CharField(_("Telephone"), max_length=40, blank=True)
    language = models.CharField(
        _("Language"), max_length=5, choices=[("en", "English"), ("fr", "Fran\u00e7ais")], default="en"
    )
    timezone = models.CharField(_("Time zone"), max_length=50, default="Europe/Paris")
    theme = models.CharField(
        max_length=6, choices=[("system", _("System")), ("light", _("Light")), ("dark", _("Dark"))], default="system"
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, help_text="when the e-mail address was confirmed (ACC-2)")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = UserManager()

    def __str__(self) -> str:
        return self.name or self.email


class AccountQuerySet(TenantQuerySet):
    account_column = "pk"


class Account(models.Model):
    """One client. VAT evidence is kept beside the treatment it led to (INV-10)."""

    class Kind(models.TextChoices):
        BUSINESS = "business", _("Business")
        CONSUMER = "consumer", _("Private person")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    reference = models.CharField(max_length=20, unique=True)
    kind = models.CharField(_("Kind"), max_length=10, choices=Kind.choices)
    name = models.CharField(_("Name"), max_length=120)
    company = models.CharField(_("Company"), max_length=160, blank=True)
    siren = models.CharField(_("SIREN"), max_length=9, blank=True)
    vat_number = models.CharField(_("VAT number"), max_length=20, blank=True)
    vat_valid_at = models.DateTimeField(null=True, blank=True)
    vat_evidence = models.JSONField(default=dict, blank=True)
    street = models.CharField(_("Street"), max_length=200, blank=True)
    postcode = models.CharField(_("Postcode"), max_length=20, blank=True)
    city = models.CharField(_("City"), max_length=120, blank=True)
    country = models.CharField(_("Country"), max_length=2, default="FR")
    phone = models.CharField(_("Telephone"), max_length=40, blank=True)
    billing_email = models.EmailField(_("Billing e-mail"))
    billing_contact = models.CharField(
        _("Billing contact"), max_length=120, blank=True,
        help_text=_("A person or a department, printed on invoices."),
    )  # fmt: skip
    buyer_reference = models.CharField(
        _("Your order number"), max_length=60, blank=True,
        help_text=_("Printed on every invoice from now on, and part of the e-invoice."),
    )  # fmt: skip
    language = models.CharField(max_length=5, default="en")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField()

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vat_number"], condition=~Q(vat_number=""), name="account_vat_once"),
            models.UniqueConstraint(fields=["siren"], condition=~Q(siren=""), name="account_siren_once"),
        ]

    def __str__(self) -> str:
        return self.company or self.name


class Membership(models.Model):
    """A person's place in an account: the owner, or a contact with named permissions (ACC-4)."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, models.CASCADE, related_name="memberships")
    is_owner = models.BooleanField(default=False)
    permissions = models.JSONField(default=list)
    created_at = models.DateTimeField()
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "account"], name="membership_once"),
            models.UniqueConstraint(fields=["account"], condition=Q(is_owner=True), name="membership_one_owner"),
        ]

    def granted(self) -> frozenset[str]:
        """The permissions in force; the owner has them all."""
        return permissions.ALL if self.is_owner else frozenset(self.permissions) & permissions.ALL

    def named_permissions(self) -> list[Any]:
        """The permissions in words, in the fixed order."""
        granted = self.granted()
        return [label for name, label in permissions.LABELS.items() if name in granted]


class StaffRole(models.Model):
    """What a member of staff may do."""

    user = models.ForeignKey(User, models.CASCADE, related_name="staff_roles")
    role = models.CharField(max_length=20, choices=list(permissions.STAFF_LABELS.items()))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="staff_role_once")]


class Acceptance(models.Model):
    """Proof that documents were accepted: which versions, when, from where, with what (ACC-1, SUB-2)."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="acceptances")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    documents = models.JSONField(help_text='[{"document": ..., "version": ..., "sha256": ...}]')
    terms_version = models.CharField(max_length=40)
    at = models.DateTimeField()
    ip = models.GenericIPAddressField(null=True)
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)

    objects = TenantQuerySet.as_manager()


class TermsAnnouncement(models.Model):
    """When a version of the terms was announced to an account; it applies 15 days later (LEG-2)."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="announcements")
    terms_version = models.CharField(max_length=40)
    announced_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "terms_version"], name="announcement_once")]


class RestrictionQuerySet(TenantQuerySet):
    def in_force(self) -> Self:
        return self.filter(state="active")


class Restriction(models.Model):
    """Every limit, suspension and closing: its rule, author, evidence, scope, span, statement and lifting (ACC-13)."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting for release")
        ACTIVE = "active", _("In force")
        LIFTED = "lifted", _("Lifted")
        REFUSED = "refused", _("Not applied")

    class Scope(models.TextChoices):
        ADDRESS = "address", _("IP address")
        PORTS = "ports", _("Ports")
        SERVER = "server", _("Server")
        SUBSCRIPTION = "subscription", _("Subscription")
        ACCOUNT = "account", _("Account")

    account = models.ForeignKey(Account, models.PROTECT, related_name="restrictions")
    key = models.CharField(max_length=120, unique=True)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)
    rule = models.CharField(max_length=10)
    author_kind = models.CharField(max_length=10)
    author_id = models.BigIntegerField(null=True)
    evidence = models.JSONField(default=dict, help_text="ids: the case, its reports, the invoice")
    statement = models.TextField(help_text="the statement of reasons the customer reads (ABU-10)")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    decided_at = models.DateTimeField()
    starts_at = models.DateTimeField(null=True)
    effective_at = models.DateTimeField(null=True, help_text="when the outside world confirmed it")
    lifted_at = models.DateTimeField(null=True)
    lifted_by_id = models.BigIntegerField(null=True)
    lifted_reason = models.TextField(blank=True)

    objects = RestrictionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["account"], name="restriction_in_force", condition=Q(state="active")),
            models.Index(fields=["subject_type", "subject_id"], name="restriction_subject"),
            models.Index(fields=["decided_at"], name="restriction_decided"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.scope}"


class Approval(models.Model):
    """A second pair of eyes: what is asked, by whom, and who agreed. Nobody counts twice."""

    class State(models.TextChoices):
        OPEN = "open", _("Waiting for approval")
        GRANTED = "granted", _("Granted")
        REFUSED = "refused", _("Refused")

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120, unique=True)
    rule = models.CharField(max_length=10, blank=True)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="approvals")
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)
    summary = models.TextField()
    needed = models.PositiveSmallIntegerField(default=2)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)


class ApprovalVote(models.Model):
    """One person's word on an approval."""

    approval = models.ForeignKey(Approval, models.CASCADE, related_name="votes")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    agrees = models.BooleanField()
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["approval", "user"], name="approval_vote_once")]


class ApiToken(models.Model):
    """A bearer token: only its hash is kept; never more than its membership may."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="tokens")
    account = models.ForeignKey(Account, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()


@dataclass(frozen=True, slots=True)
class Place:
    """An account a person may work in, and what they may do there; `restricted`: some restriction is in force on it."""

    account_id: int
    reference: str
    name: str
    permissions: frozenset[str]
    restricted: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is: their accounts, own ones first, their staff roles, and whether a second factor is set up."""

    places: tuple[Place, ...]
    roles: frozenset[str]
    second_factor: bool

    @classmethod
    def read(cls, rows: Sequence[Sequence[Any]]) -> Self:
        """Out of rows of `STANDING`: every account with every role."""
        places = {
            pk: Place(
                pk, reference, company or name, Membership(is_owner=owner, permissions=named).granted(), restricted
            )
            for pk, reference, company, name, owner, named, restricted, *_ in rows
            if pk is not None
        }
        roles = frozenset(row[-2] for row in rows if row[-2])
        return cls(tuple(places.values()), roles, any(row[-1] for row in rows))

    def actor(self, user: User, account_id: int | None, ip: str | None = None) -> Actor:
        """The actor this person is in `account_id` (None: staff's own console)."""
        if not user.is_active:
            return Actor(kind="person")
        for place in self.places:
            if place.account_id == account_id:
                return Actor("person", user.pk, account_id, place.permissions, name=user.name, ip=ip)
        return Actor("person", user.pk, staff_roles=self.roles, name=user.name, ip=ip)


def standing(people: models.QuerySet[User]) -> models.QuerySet[User]:
    """The order of `Standing.read`, and what it wants to know of each person, as annotations of STANDING."""
    from allauth.mfa.models import Authenticator

    limits = Restriction.objects.in_force().filter(account_id=models.OuterRef("memberships__account_id"))
    factors = Authenticator.objects.filter(user_id=models.OuterRef("pk"))
    return people.annotate(restricted=models.Exists(limits), factor=models.Exists(factors)).order_by(
        "-memberships__is_owner", "memberships__account__name", "memberships__pk"
    )


STANDING = (
    "memberships__account_id", "memberships__account__reference", "memberships__account__company",
    "memberships__account__name", "memberships__is_owner", "memberships__permissions", "restricted",
    "staff_roles__role", "factor",
)  # fmt: skip
_STANDING = Prepared(lambda: standing(User.objects.filter(pk=slot("user"))).values_list(*STANDING))


def actor_of(user: User, *, account_id: int | None, ip: str | None = None) -> Actor:
    """The actor a logged-in person is, in `account_id` (None: staff's own console)."""
    return Standing.read(_STANDING.rows(user=user.pk)).actor(user, account_id, ip)


triggers.append_only("accounts_acceptance")
