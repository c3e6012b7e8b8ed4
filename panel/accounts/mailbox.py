"""The mails of a test installation: there is no mail server yet, so a newcomer opens the confirmation here.

These mails hold links that log people in. The pages exist only in the embedded mode without a mail server, and only for
a browser on this very machine: its address and the name it asked for are loopback, and no proxy stands in between.
"""

import ipaddress
import re

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from panel.accounts import actions
from panel.core import web
from panel.core.models import MailMessage

SHOWN = 50
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_BY_PROXY = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
_LINK = re.compile(r"(https?://[^\s<>\"]+)")


def is_open_to(request: HttpRequest) -> bool:
    """Whether this request may read the mails of the installation."""
    if not settings.EMBEDDED or "smtp" in settings.EMAIL_BACKEND:
        return False
    name = re.sub(r":\d+$", "", request.get_host())
    return name in _LOCAL_NAMES and not any(header in request.headers for header in _BY_PROXY) and _from_here(request)


def _from_here(request: HttpRequest) -> bool:
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _only_here(request: HttpRequest) -> None:
    if not is_open_to(request):
        raise Http404


@web.page(actions.MAILBOX)
@never_cache
@require_safe
def mail_list(request: HttpRequest) -> HttpResponse:
    """The newest mails; `?to=` those to one address."""
    _only_here(request)
    mails = MailMessage.objects.select_related("content").exclude(content=None).order_by("-pk")
    wanted = request.GET.get("to", "").strip()
    if wanted:
        mails = mails.filter(content__to__iexact=wanted)
    return render(request, "accounts/mailbox.html", {"mails": mails[:SHOWN], "wanted": wanted})


@web.page(actions.MAILBOX)
@never_cache
@require_safe
def mail_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail, its links to click."""
    _only_here(request)
    mail = get_object_or_404(MailMessage.objects.select_related("content").exclude(content=None), pk=pk)
    return render(request, "accounts/mailbox_detail.html", {"mail": mail, "body": with_links(mail.content.body)})


def with_links(text: str) -> SafeString:
    """The text, escaped, its addresses as links."""
    parts = _LINK.split(text)
    return format_html_join("", "{}", ([_anchor(part) if index % 2 else part] for index, part in enumerate(parts)))


def _anchor(url: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, url)
