"""Charts are pure: figures in, drawing and table out."""

import re

import pytest
from defusedxml import ElementTree as Drawing
from hypothesis import given
from hypothesis import strategies as some

from panel.core.charts import HEIGHT, WIDTH, Chart, Series, nice_top

FIGURES = some.lists(some.one_of(some.none(), some.floats(0, 1e15)), min_size=1, max_size=60)


def chart_of(values: list[float | None], kind: str = "area", **more: object) -> Chart:
    labels = [str(index) for index in range(len(values))]
    return Chart("Traffic", labels, [Series("bytes", values, kind)], **more)  # type: ignore[arg-type]


@given(some.floats(1e-6, 1e18))
def test_the_scale_ends_above_every_value_and_not_far_above(value: float) -> None:
    top = nice_top(value)
    assert value * (1 - 1e-6) <= top <= value * 1.6


@given(FIGURES, some.sampled_from(["line", "area", "bar"]))
def test_nothing_is_drawn_outside_the_view(values: list[float | None], kind: str) -> None:
    drawing = Drawing.fromstring(chart_of(values, kind).svg())
    for shape in drawing.iter("rect"):
        x, y, width, height = (float(shape.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + width <= WIDTH + 0.2
        assert -0.1 <= y <= HEIGHT
        assert y + height <= HEIGHT + 0.2
    for path in drawing.iter("path"):
        numbers = [float(text) for text in re.findall(r"-?[\d.]+", path.attrib["d"])]
        assert all(0 <= x <= WIDTH for x in numbers[::2])
        assert all(0 <= y <= HEIGHT for y in numbers[1::2])


@given(FIGURES)
def test_the_table_says_what_the_drawing_shows(values: list[float | None]) -> None:
    rows = chart_of(values).rows
    assert [bool(cells[0]) for _, cells in rows] == [value is not None for value in values]


def test_a_gap_breaks_the_line() -> None:
    assert chart_of([1, 2, None, 3, 4], "line").svg().count('class="line s1"') == 2


def test_a_forecast_joins_the_last_measured_point_and_does_not_count_as_measured() -> None:
    chart = Chart("Traffic", ["a", "b", "c"], [Series("bytes", [1, 2, 9], forecast_from=2)])
    assert 'class="forecast s1" d="M500 ' in chart.svg()
    extremes = chart.extremes()
    assert extremes is not None
    assert (extremes.peak, extremes.last, extremes.total) == (("b", 2), ("b", 2), 3)


def test_the_limit_is_part_of_the_scale() -> None:
    chart = chart_of([1, 2], limit=500)
    assert chart.top == 500
    assert 'class="limit"' in chart.svg()


def test_no_figures_is_an_empty_chart_without_extremes() -> None:
    chart = chart_of([None, None])
    assert chart.is_empty
    assert chart.extremes() is None


def test_labels_are_at_most_five_or_one_for_each_of_few_bars() -> None:
    assert chart_of([1.0] * 30).x_labels == ["0", "7", "14", "22", "29"]
    assert len(chart_of([1.0] * 12, "bar").x_labels) == 12


def test_every_series_has_a_value_for_each_label() -> None:
    with pytest.raises(ValueError, match="2 values for 1 labels"):
        Chart("Traffic", ["a"], [Series("bytes", [1, 2])])
    with pytest.raises(ValueError, match="not pie"):
        Series("bytes", [1], "pie")


def test_drawings_hold_no_style_that_the_content_policy_refuses() -> None:
    assert "style" not in chart_of([1, None, 2]).svg()
