"""`{% machine_tabs %}`: the pages about the panel itself, as far as the person may open them."""

from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.translation import gettext as _

from panel.console import actions
from panel.core import web

register = template.Library()


@register.inclusion_tag("ui/tabs.html", takes_context=True)
def machine_tabs(context: Context) -> dict[str, Any]:
    """Operations, outgoing mail, journal, health."""
    request = context["request"]
    pages = (
        (actions.OPERATIONS, "console:operation_list"),
        (actions.MAIL, "console:mail_list"),
        (actions.AUDIT, "console:audit"),
        (actions.HEALTH, "console:health"),
    )
    allowed = [(action, name) for action, name in pages if action.permits(web.actor(request))]
    items = [{"title": action.label, "url": reverse(name), "count": 0} for action, name in allowed]
    return {"items": items, "here": request.path, "name": _("The panel itself")}
