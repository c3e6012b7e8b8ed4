"""Words and addresses that are worked out once still follow the reader's language and the site."""

from django.template import Context, Template
from django.urls import set_script_prefix
from django.utils.translation import override

from panel.core.templatetags.remembered import Remembered


def drawn(template: Template, language: str) -> str:
    with override(language):
        return template.render(Context({"name": "Alice"}))


def test_the_same_node_speaks_each_language() -> None:
    template = Template('{% translate "Invoices" %}')
    assert [drawn(template, "en"), drawn(template, "fr"), drawn(template, "en")] == ["Invoices", "Factures", "Invoices"]


def test_an_address_follows_where_the_site_lies() -> None:
    template = Template('{% url "invoicing:invoice_list" %}')
    assert drawn(template, "en") == "/billing/invoices/"
    try:
        set_script_prefix("/panel/")
        assert drawn(template, "en") == "/panel/billing/invoices/"
    finally:
        set_script_prefix("/")


def test_what_depends_on_the_page_is_not_remembered() -> None:
    template = Template(
        '{% translate name %}{% url "invoicing:invoice_detail" name %}{% translate "Invoices" as word %}'
    )
    assert template.nodelist.get_nodes_by_type(Remembered) == []
    assert template.render(Context({"name": "Bob"})) == "Bob/billing/invoices/Bob/"
    assert template.render(Context({"name": "Eve"})) == "Eve/billing/invoices/Eve/"
