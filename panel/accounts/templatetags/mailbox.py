"""`{% mailbox_hint %}`: where the mails of a test installation are read; nothing anywhere else."""

from typing import Any

from django import template
from django.template import Context

from panel.accounts import mailbox

register = template.Library()


@register.inclusion_tag("accounts/mailbox_hint.html", takes_context=True)
def mailbox_hint(context: Context) -> dict[str, Any]:
    """A line with the link to /mailbox/ where that page exists."""
    return {"open": mailbox.is_open_to(context["request"])}
