"""The components, as a template writes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.paginator import Paginator
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone, translation

from panel.core import charts
from panel.core.templatetags import ui

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def drawn(source: str, **context: Any) -> str:
    request = RequestFactory().get("/servers/", context.pop("query", {}))
    request.user = AnonymousUser()
    return engines["django"].from_string(source).render({"now": NOW, **context}, request).replace("\u00a0", " ")


def test_a_badge_is_icon_word_and_tone() -> None:
    html = drawn('{% badge "running" "server" %}')
    assert "tone-good" in html
    assert "<svg" in html
    assert "Running" in html


def test_a_badge_escapes_what_it_does_not_know() -> None:
    assert "<script>" not in drawn("{% badge state %}", state="<script>")


def test_money_is_in_the_readers_form() -> None:
    assert drawn("{% money 123450 %}") == "EUR 1,234.50"
    with translation.override("fr"):
        assert drawn("{% money 123450 %}").replace("\u202f", " ") == "1 234,50 EUR"
    assert drawn("{% money None %}") == "–"


def test_an_instant_names_its_zone_and_keeps_utc() -> None:
    with timezone.override("Europe/Paris"):
        html = drawn("{% when at %}", at=NOW)
    assert "22 Nov 2026, 13:00 CET" in html
    assert "2026-11-22 12:00:00 UTC" in html
    assert 'datetime="2026-11-22T12:00:00Z"' in html


@pytest.mark.parametrize(
    ("hours", "tone", "words"),
    [
        (40, "neutral", "40 h left"),
        (20, "warn", "20 h left"),
        (4, "bad", "4 h left"),
        (0, "bad", "0 s left"),
        (-5, "bad", "overdue by 5 h"),
    ],
)
def test_a_countdown_turns_at_a_half_and_at_a_tenth(hours: int, tone: str, words: str) -> None:
    """The whole is 48 h here; at the instant itself nothing is overdue yet."""
    due = NOW + timedelta(hours=hours)
    html = drawn("{% countdown due began=began %}", due=due, began=due - timedelta(hours=48))
    assert f"tone-{tone}" in html
    assert words in html


def test_a_paused_countdown_stands_still() -> None:
    html = drawn("{% countdown due paused=left %}", due=NOW, left=timedelta(hours=31))
    assert "31 h left, clock paused" in html
    assert "data-countdown" not in html


def test_a_meter_never_draws_beyond_its_end_but_says_the_truth() -> None:
    html = drawn('{% meter 561 500 "Traffic" "561 GB" %}')
    assert 'width="100.0%"' in html
    assert "112 %" in html
    assert "tone-bad" in html
    assert "tone-warn" in drawn('{% meter 100 500 "Traffic" "100 GB" 700 %}')


def test_a_dialog_asks_for_the_name_and_posts() -> None:
    html = drawn(
        '{% dialog "d" title="Destroy?" action="/x/" verb="Destroy" danger=True typed=name %}gone{% enddialog %}',
        name="a<b",
    )
    assert 'data-typed="a&lt;b"' in html
    assert "btn-danger" in html
    assert 'method="post" action="/x/"' in html


def test_paging_keeps_the_filters() -> None:
    page = Paginator(range(95), 10).get_page(2)
    html = drawn("{% pagination page %}", page=page, query={"q": "web"})
    assert "95 entries" in html
    assert "?q=web&amp;page=3" in html


def test_sorting_turns_round() -> None:
    assert "?sort=-name" in drawn('{% sort "name" "Name" %}', query={"sort": "name"})
    assert "?sort=name" in drawn('{% sort "name" "Name" %}')


def test_tabs_mark_the_longest_address() -> None:
    html = drawn("{% tabs items 'Server' %}", items=[("All", "/"), ("Servers", "/servers/")])
    assert html.count("aria-current") == 1
    assert 'href="/servers/" aria-current="page"' in html


class _Order(forms.Form):
    name = forms.CharField(label="Name", help_text="Letters")
    accept = forms.BooleanField(label="I accept")


def test_a_form_says_its_errors_on_top_and_beside_the_field() -> None:
    html = str(_Order({"name": ""}))
    assert html.index("error-summary") < html.index("<input")
    assert 'href="#id_name"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert "error-summary" not in str(_Order())


def test_a_tick_stands_before_its_label() -> None:
    html = str(_Order()["accept"].as_field_group())
    assert html.index("<input") < html.index("<label")


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.0", "curl/8.0"),
    ],
)
def test_a_session_names_its_device(says: str, name: str) -> None:
    assert drawn("{{ says|device }}", says=says) == name


def test_a_full_bar_warns_unless_it_is_progress() -> None:
    assert "tone-warn" in ui.meter(100, 100, "Traffic")
    assert "tone-good" in ui.meter(100, 100, "Answered for", progress=True)


@pytest.mark.parametrize(
    ("value", "figure", "price"),
    [
        ("1234.567000000", "1,234.567", "1234.567"), ("0.002", "0.002", "0.002"), ("10", "10", "10.00"),
        ("0.10", "0.1", "0.10"), ("1E+3", "1,000", "1000.00"),
    ],
)  # fmt: skip
def test_a_figure_and_a_price_of_one_lose_no_decimal(value: str, figure: str, price: str) -> None:
    assert (ui.figure(Decimal(value)), ui.unit_price(Decimal(value))) == (figure, price)


def test_a_chart_of_several_series_names_each() -> None:
    series = [charts.Series("In", [1, 4]), charts.Series("Out", [9, 2])]
    summary = ui.chart(charts.Chart("Traffic", ["a", "b"], series))["summary"]
    assert summary == "In: highest 4 (b), latest 4 (b). Out: highest 9 (a), latest 2 (b)."
