"""Charts as inline SVG, in pure Python: themed by classes, printable, readable at 390 px, with a table of its figures.

The drawing stretches to its box (a 1000 x 100 view without aspect ratio, lines that do not scale); labels are HTML
beside it, so that text keeps its size on a phone. The `chart` tag draws the figure around it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 1000, 100
Y_STEPS = 4
X_LABELS = 5
BARS_LABELLED = 12
KINDS = ("line", "area", "bar")


def plain(value: float) -> str:
    """Up to two decimals, none where they are zero."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Series:
    """One row of figures; None is a gap. From index `forecast_from` on the values are a forecast, drawn dotted."""

    label: str
    values: Sequence[float | None]
    kind: str = "area"
    forecast_from: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a series is one of {', '.join(KINDS)}, not {self.kind}")


@dataclass(frozen=True)
class Extremes:
    """What a summary sentence says about one series, as (label of the point, value)."""

    peak: tuple[str, float]
    last: tuple[str, float]
    total: float


@dataclass(frozen=True)
class Chart:
    """`labels`: one word per point, oldest first. `limit`: a line across (an allowance). `show`: a value in words."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    limit: float | None = None
    limit_label: str = ""
    show: Callable[[float], str] = plain
    small: bool = False
    summary: str = ""

    def __post_init__(self) -> None:
        for one in self.series:
            if len(one.values) != len(self.labels):
                raise ValueError(f"series {one.label!r} has {len(one.values)} values for {len(self.labels)} labels")

    @property
    def top(self) -> float:
        """The upper end of the scale: a round number that no value and no limit passes."""
        known = [value for one in self.series for value in one.values if value is not None]
        return nice_top(max([*known, self.limit or 0.0, 0.0]))

    @property
    def is_empty(self) -> bool:
        return not any(value is not None for one in self.series for value in one.values)

    @property
    def y_labels(self) -> list[str]:
        """From the top of the scale down to zero, evenly spaced."""
        return [self.show(self.top * step / Y_STEPS) for step in range(Y_STEPS, -1, -1)]

    @property
    def x_labels(self) -> list[str]:
        """At most five, evenly spaced; all of them below few bars."""
        count = len(self.labels)
        if self.labels_every_bar or count <= X_LABELS:
            return list(self.labels)
        return [self.labels[round(step * (count - 1) / (X_LABELS - 1))] for step in range(X_LABELS)]

    @property
    def labels_every_bar(self) -> bool:
        return all(one.kind == "bar" for one in self.series) and len(self.labels) <= BARS_LABELLED

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table that says the same: per point its label and each series' value in words."""
        cells = [[("" if value is None else self.show(value)) for value in one.values] for one in self.series]
        return [(label, [column[index] for column in cells]) for index, label in enumerate(self.labels)]

    def extremes(self, index: int = 0) -> Extremes | None:
        """Peak, last and total of a series' measured (not forecast) values; None when there are none."""
        one = self.series[index] if index < len(self.series) else None
        if one is None:
            return None
        measured = [
            (self.labels[at], value) for at, value in enumerate(one.values[: one.forecast_from]) if value is not None
        ]
        if not measured:
            return None
        return Extremes(max(measured, key=lambda point: point[1]), measured[-1], sum(value for _, value in measured))

    def svg(self) -> str:
        """The drawing alone: numbers and class names, so nothing in it needs escaping."""
        body = [_line("grid-line", _y(self.top * step / Y_STEPS, self.top)) for step in range(Y_STEPS + 1)]
        bars = [one for one in self.series if one.kind == "bar"]
        for number, one in enumerate(self.series, start=1):
            if one.kind == "bar":
                body += _bars(one, f"s{number}", bars.index(one), len(bars), self.top)
            else:
                body += _curve(one, f"s{number}", self.top)
        if self.limit is not None:
            body.append(_line("limit", _y(self.limit, self.top)))
        return (
            f'<svg class="chart-svg" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true" '
            f'focusable="false">{"".join(body)}</svg>'
        )


def nice_top(value: float) -> float:
    """The next of 1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10 times a power of ten; 1 for next to nothing."""
    if value < 1e-9:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _y(value: float, top: float) -> float:
    return HEIGHT - HEIGHT * max(0.0, min(value, top)) / top


def _line(name: str, y: float) -> str:
    return f'<line class="{name}" x1="0" x2="{WIDTH}" y1="{_number(y)}" y2="{_number(y)}"/>'


def _bars(one: Series, name: str, place: int, of: int, top: float) -> list[str]:
    slot = WIDTH / max(1, len(one.values))
    width = slot * 0.68 / of
    drawn = []
    for index, value in enumerate(one.values):
        if value is not None:
            x, y = slot * index + slot * 0.16 + width * place, _y(value, top)
            drawn.append(
                f'<rect class="bar {name}" x="{_number(x)}" y="{_number(y)}" '
                f'width="{_number(width)}" height="{_number(HEIGHT - y)}"/>'
            )
    return drawn


def _curve(one: Series, name: str, top: float) -> list[str]:
    """Lines per unbroken run; a forecast starts at the last measured point, so that the two join."""
    step = WIDTH / max(1, len(one.values) - 1)
    split = len(one.values) if one.forecast_from is None else one.forecast_from
    points = [(index, step * index, _y(value, top)) for index, value in enumerate(one.values) if value is not None]
    measured = [point for point in points if point[0] < split]
    forecast = measured[-1:] + [point for point in points if point[0] >= split]
    drawn = []
    for run in _runs(measured):
        path = " L".join(f"{_number(x)} {_number(y)}" for _, x, y in run)
        if one.kind == "area":
            begin, end = _number(run[0][1]), _number(run[-1][1])
            drawn.append(f'<path class="area {name}" d="M{begin} {HEIGHT} L{path} L{end} {HEIGHT} Z"/>')
        drawn.append(f'<path class="line {name}" d="M{path}"/>')
    if len(forecast) > 1:
        path = " L".join(f"{_number(x)} {_number(y)}" for _, x, y in forecast)
        drawn.append(f'<path class="forecast {name}" d="M{path}"/>')
    return drawn


def _runs(points: list[tuple[int, float, float]]) -> list[list[tuple[int, float, float]]]:
    if not points:
        return []
    runs = [[points[0]]]
    for before, point in pairwise(points):
        if point[0] == before[0] + 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs
