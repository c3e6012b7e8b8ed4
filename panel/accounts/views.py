"""A person's own pages, the account's data and contacts, API tokens, legal documents."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from panel import terms
from panel.accounts import actions, contacts, security, selectors, terms_in_force, tokens
from panel.accounts import profile as profiles
from panel.accounts.forms import AccountDataForm, ContactForm, ProfileForm, TokenForm, refused
from panel.accounts.middleware import ACCOUNT_IN_SESSION
from panel.accounts.models import Acceptance, ApiToken, Membership, User
from panel.core import clock, markdown, shell, web
from panel.core.errors import RuleViolation
from panel.terms import texts


def _person(request: HttpRequest) -> int:
    """The id of who is logged in; the actions of these pages let nobody else through."""
    user_id = web.actor(request).user_id
    if user_id is None:
        raise PermissionDenied
    return user_id


# --- the person ----------------------------------------------------------------------------------------------------
@web.page(actions.SEE_PROFILE)
def profile(request: HttpRequest) -> HttpResponse:
    """Name, language, time zone, theme."""
    user = User.objects.get(pk=_person(request))
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        profiles.change_person(user.pk, form.cleaned_data, actor=web.actor(request), now=clock.now())
        with translation.override(form.cleaned_data["language"]):
            web.say(request, _("Your profile is saved."))
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form, "memberships": selectors.accounts_of(user.pk)})


@web.page(actions.EDIT_ACCOUNT)
def account_data(request: HttpRequest) -> HttpResponse:
    """What stands on invoices."""
    actor = web.actor(request)
    account = selectors.account(actor)
    form = AccountDataForm(request.POST or None, instance=account)
    if request.method == "POST" and form.is_valid():
        profiles.change_account(account.pk, form.cleaned_data, actor=actor, now=clock.now())
        web.say(request, _("The account's data is saved. It will stand on the next invoice."))
        return redirect("accounts:account_data")
    return render(request, "accounts/account_data.html", {"form": form, "account": selectors.account(actor)})


@web.page(actions.SECURITY)
@never_cache
@require_safe
def security_overview(request: HttpRequest) -> HttpResponse:
    """Second factors, sessions and what happened to this log-in."""
    user_id = _person(request)
    context = {
        "factors": selectors.second_factors(user_id),
        "sessions": selectors.sessions(user_id, request.session.session_key),
        "activity": selectors.security_activity(user_id),
        "is_staff": web.actor(request).is_staff,
    }
    return render(request, "accounts/security.html", context)


@web.page(actions.SECURITY)
@require_POST
def session_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Log one of the person's own sessions out."""
    if not security.end_session(_person(request), pk, actor=web.actor(request), now=clock.now()):
        raise Http404
    web.say(request, _("That session has ended."))
    return redirect("accounts:security")


@web.page(actions.REPORT_LOSS)
@require_POST
def loss_report(request: HttpRequest) -> HttpResponse:
    """ACC-6: everything this person holds ends, this session too; a new password comes by e-mail."""
    security.report_loss(_person(request), actor=web.actor(request), now=clock.now())
    logout(request)
    web.say(
        request,
        _("Every session and token of yours has ended. Choose a new password now: we send a link to your e-mail."),
    )
    return redirect("account_reset_password")


@web.page(actions.SWITCH)
@require_POST
def account_switch(request: HttpRequest, reference: str) -> HttpResponse:
    """Work in another of the person's own accounts; `console` leads staff back to the console."""
    if reference == "console" and selectors.is_staff(_person(request)):
        request.session.pop(ACCOUNT_IN_SESSION, None)
        return redirect("console:work")
    membership = get_object_or_404(selectors.accounts_of(_person(request)), account__reference=reference)
    request.session[ACCOUNT_IN_SESSION] = membership.account_id
    web.say(request, _("You now work in %(name)s.") % {"name": membership.account})
    return redirect("sandbox:dashboard")


# --- API tokens ----------------------------------------------------------------------------------------------------
@web.page(actions.TOKENS)
@never_cache
def tokens_page(request: HttpRequest) -> HttpResponse:
    """The tokens; a new one's secret stands on the answer to its form and never again."""
    actor = web.actor(request)
    form = TokenForm(request.POST or None, grantable=actor.permissions)
    secret = ""
    if request.method == "POST" and form.is_valid():
        membership = Membership.objects.visible_to(actor).get(user_id=_person(request))
        lives = timedelta(days=form.cleaned_data["days"]) if form.cleaned_data["days"] else None
        try:
            _row, secret = tokens.issue(
                membership, name=form.cleaned_data["name"], scopes=form.cleaned_data["scopes"], lives=lives,
                actor=actor, now=clock.now(),
            )  # fmt: skip
            form = TokenForm(grantable=actor.permissions)
        except RuleViolation as refusal:
            refused(form, refusal)
    now = clock.now()
    rows = [{"token": row, "state": _token_state(row, now)} for row in selectors.tokens(actor)]
    return render(request, "accounts/tokens.html", {"form": form, "secret": secret, "rows": rows})


def _token_state(row: ApiToken, now: Any) -> str:
    if row.revoked_at:
        return "revoked"
    return "expired" if row.expires_at and now >= row.expires_at else "active"


@web.page(actions.REVOKE_TOKEN)
@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a token at once: one's own, or, for who manages contacts, any of the account."""
    actor = web.actor(request)
    tokens.revoke(get_object_or_404(selectors.tokens(actor), pk=pk), actor=actor, now=clock.now())
    web.say(request, _("The token is revoked; nothing accepts it any more."))
    return redirect("accounts:tokens")


# --- contacts ------------------------------------------------------------------------------------------------------
@web.page(actions.CONTACTS)
@require_safe
def contact_list(request: HttpRequest) -> HttpResponse:
    """Everybody who may enter the account, with their permissions, and the form to add one (ACC-4)."""
    return _contacts_page(request, ContactForm(grantable=web.actor(request).permissions))


def _contacts_page(request: HttpRequest, form: ContactForm, status: int = 200) -> HttpResponse:
    actor = web.actor(request)
    context = {"form": form, "members": selectors.contacts(actor), "account": selectors.account(actor)}
    return render(request, "accounts/contact_list.html", context, status=status)


@web.page(actions.CONTACTS)
@require_POST
def contact_add(request: HttpRequest) -> HttpResponse:
    """Invite a contact; a refusal keeps what was typed."""
    actor = web.actor(request)
    form = ContactForm(request.POST, grantable=actor.permissions)
    if form.is_valid():
        made = form.cleaned_data
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        link = request.build_absolute_uri(path).replace("UID-KEY", "{uid}-{key}")
        try:
            contacts.invite(
                selectors.account(actor), email=made["email"], name=made["name"], wanted=made["permissions"],
                actor=actor, link=link, now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            refused(form, refusal)
        else:
            web.say(request, _("%(name)s is invited; the mail is on its way.") % {"name": made["name"]})
            return redirect("accounts:contact_list")
    return _contacts_page(request, form, status=422)


@web.page(actions.CONTACTS)
def contact_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Other permissions for a contact."""
    actor = web.actor(request)
    membership = get_object_or_404(selectors.contacts(actor), pk=pk)
    form = ContactForm(
        request.POST or None, grantable=actor.permissions, known=True, initial={"permissions": membership.permissions}
    )
    if request.method == "POST" and form.is_valid():
        try:
            contacts.change(membership, wanted=form.cleaned_data["permissions"], actor=actor, now=clock.now())
        except RuleViolation as refusal:
            refused(form, refusal)
        else:
            web.say(request, _("The permissions of %(name)s are saved.") % {"name": membership.user})
            return redirect("accounts:contact_list")
    return render(request, "accounts/contact_edit.html", {"form": form, "member": membership})


@web.page(actions.REMOVE_CONTACT)
@require_POST
def contact_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """End a contact's access at once."""
    actor = web.actor(request)
    membership = get_object_or_404(selectors.contacts(actor), pk=pk)
    name = str(membership.user)
    contacts.remove(membership, actor=actor, now=clock.now())
    web.say(request, _("%(name)s has no access any more.") % {"name": name})
    return redirect("accounts:contact_list" if membership.user_id != actor.user_id else "sandbox:dashboard")


# --- legal documents -----------------------------------------------------------------------------------------------
def _terms_for(request: HttpRequest) -> terms.Terms:
    actor, now = web.actor(request), clock.now()
    return terms_in_force.at(selectors.account(actor), now) if actor.account_id else terms.current(now)


def _layout(request: HttpRequest) -> str:
    return shell.of(request).layout if web.actor(request).user_id else "plain.html"


@web.page(actions.LEGAL)
@require_safe
def legal_list(request: HttpRequest) -> HttpResponse:
    """The documents in force for the reader, and the proofs of what the account accepted (LEG-1, ACC-1)."""
    actor, version = web.actor(request), _terms_for(request)
    language = translation.get_language() or "en"
    documents = [
        (name, markdown.title(texts.read(version, name, language).source) or name) for name in version.documents
    ]
    acceptances = Acceptance.objects.none()
    if actor.account_id is not None and actor.may("account"):
        acceptances = Acceptance.objects.visible_to(actor).select_related("user").order_by("-pk")
    context = {
        "layout": _layout(request), "version": version, "label": version.name.partition("/")[2], "documents": documents,
        "acceptances": acceptances, "titles": dict(documents),
    }  # fmt: skip
    return render(request, "accounts/legal_list.html", context)


@web.page(actions.LEGAL)
@require_safe
def legal_text(request: HttpRequest, document: str, label: str) -> HttpResponse:
    """One document of one version, its numbers filled in."""
    operator = _terms_for(request).name.partition("/")[0]
    try:
        version = terms.version(f"{operator}/{label}")
        text = texts.read(version, document, translation.get_language() or "en")
    except KeyError:
        raise Http404 from None
    body = text.source.split("\n", 1)[1] if text.source.startswith("# ") else text.source
    context = {
        "layout": _layout(request), "version": version, "label": label, "text": text,
        "title": markdown.title(text.source) or document, "body": markdown.render(body, top=1),
        "digest": version.document_digest(document),
    }  # fmt: skip
    return render(request, "accounts/legal_text.html", context)
