"""`{% translate %}` and `{% url %}` as Django's own, but what comes out the same each time is worked out once.

That is the words of a literal in each language and the address of a page without arguments: together they were a
quarter of an average page's work.
"""

from collections.abc import Callable, Hashable

from django.template import Context, Library, Node
from django.template.base import FilterExpression, Parser, Token, Variable
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as usual_url
from django.templatetags.i18n import TranslateNode, do_translate
from django.urls import get_script_prefix, get_urlconf
from django.utils.translation import get_language

register = Library()


class Remembered(Node):
    """A node whose output depends on `key()` alone."""

    def __init__(self, node: TranslateNode | URLNode, key: Callable[[], Hashable]) -> None:
        self.node, self.key = node, key
        self.known: dict[Hashable, str] = {}

    def render(self, context: Context) -> str:
        key = self.key()
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.node.render(context)
        return found


def _site() -> tuple[str | None, str]:
    """What an address depends on besides its name."""
    return get_urlconf(), get_script_prefix()


def _is_literal(expression: FilterExpression) -> bool:
    """A text in quotes, with nothing done to it."""
    if expression.filters:
        return False
    return not isinstance(expression.var, Variable) or expression.var.literal is not None


@register.tag(name="translate")
def translate(parser: Parser, token: Token) -> Node:
    """`{% translate "words" %}`."""
    node: TranslateNode = do_translate(parser, token)
    plain = not (node.asvar or node.noop or node.message_context) and _is_literal(node.filter_expression)
    return Remembered(node, get_language) if plain else node


@register.tag
def url(parser: Parser, token: Token) -> Node:
    """`{% url "name" %}`."""
    node: URLNode = usual_url(parser, token)
    plain = not (node.args or node.kwargs or node.asvar) and _is_literal(node.view_name)
    return Remembered(node, _site) if plain else node
