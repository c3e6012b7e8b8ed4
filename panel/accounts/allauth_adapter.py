"""allauth does log-in, confirmation and reset; its mails go out as the panel's own, its facts into the journal."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation

from panel.accounts.middleware import client_ip
from panel.accounts.models import User
from panel.core import clock, events, mail, references, secrets
from panel.core.actors import Actor


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Mails are owed with the change and sent by an operation, never inside the request."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        brand = settings.CLAUSE_BRAND
        site = {"name": brand["name"], "domain": settings.CLAUSE_BASE_URL}
        ctx = {"request": self.request, "email": email, "brand": brand, "current_site": site, **context}
        user = context.get("user") or User.objects.filter(email=email).first()
        language = user.language if isinstance(user, User) else translation.get_language() or "en"
        with translation.override(language), transaction.atomic():
            title = render_to_string(f"{template_prefix}_subject.txt", ctx)
            body = render_to_string(f"{template_prefix}_message.txt", ctx)
            mail.send_text(
                template_prefix.replace("/email/", "."), to=email, title=title, body=body,
                now=clock.now(), key=references.new(f"allauth:{template_prefix}"),
                subject=user if isinstance(user, User) else None,
            )  # fmt: skip

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Each change of a person's security is told by mail and kept in the journal."""
        super().send_notification_mail(template_prefix, user, context=context, email=email)
        _, _, what = template_prefix.rpartition("/")
        self._tell(f"accounts.security.{what}", self.request, user)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        self._tell("accounts.security.logged_in", request, user)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def _tell(self, kind: str, request: HttpRequest, user: User) -> None:
        ip = client_ip(request)
        with transaction.atomic():
            events.record(
                kind,
                now=clock.now(),
                actor=Actor(kind="person", user_id=user.pk, ip=ip),
                subject=user,
                private={"ip": ip},
            )

    def populate_username(self, request: HttpRequest, user: User) -> None:
        """There is no user name; the e-mail is the identifier."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.created_at = clock.now()
        user.name = form.cleaned_data.get("name", "")
        user.phone = form.cleaned_data.get("phone", "")
        user.language = translation.get_language() or "en"
        return super().save_user(request, user, form, commit=commit)  # type: ignore[no-any-return]

    def set_password(self, user: User, password: str) -> None:
        """Who was invited proves their mailbox by the link that lets them choose a first password (ACC-2, ACC-4)."""
        invited = not user.has_usable_password() and user.confirmed_at is None
        if invited and EmailAddress.objects.filter(user=user, verified=True, email=user.email).exists():
            user.confirmed_at = clock.now()
        super().set_password(user, password)

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        confirmed = super().confirm_email(request, email_address)
        if confirmed:
            User.objects.filter(pk=email_address.user_id, confirmed_at=None).update(confirmed_at=clock.now())
        return bool(confirmed)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Keys of second factors are encrypted at rest."""

    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text)
