"""What is drawn many times on a page (rows of long lists, meters, timelines) is drawn by Jinja2 out of plain values,
several times faster than a Django template would.

Such a template stands in `panel/rows/<app>/`; the page around it stays a Django template and calls `draw`.
"""

from functools import cache
from typing import Any

from django.template import engines
from django.utils.safestring import SafeString, mark_safe
from jinja2 import Environment, Template


def environment(**options: Any) -> Environment:
    """The Jinja2 environment named in the settings: autoescaping."""
    return Environment(**{"trim_blocks": True, "lstrip_blocks": True, **options})  # noqa: S701 - Django's options escape


@cache
def _template(name: str) -> Template:
    found: Template = engines["jinja2"].get_template(name).template  # type: ignore[attr-defined]
    return found


def draw(template_name: str, **values: Any) -> SafeString:
    """Render `panel/rows/<template_name>`. Words come translated in `values`; row values are escaped."""
    return mark_safe(_template(template_name).render(values))
