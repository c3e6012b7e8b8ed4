"""Alternated rounds and what is said of them: the median of the ratios, with their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """The times of one contender over those of another, round by round."""

    rounds: Sequence[float]

    @property
    def middle(self) -> float:
        return median(self.rounds)

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({min(self.rounds):.2f}-{max(self.rounds):.2f})"


def ratio(times: Sequence[float], of: Sequence[float]) -> Ratio:
    return Ratio([mine / theirs for mine, theirs in zip(times, of, strict=True)])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints plain columns, the first to the left, the others to the right."""
    text = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in text) for at in range(len(head))]
    for row in text:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


def verdict(checks: Mapping[str, bool]) -> None:
    """Prints what was checked; the benchmark ends where something is wrong."""
    for sentence, holds in checks.items():
        print(f"{'ok   ' if holds else 'WRONG'} {sentence}")
    if not all(checks.values()):
        raise SystemExit(1)


def conclude(name: str, value: float) -> None:
    """The last line of a benchmark."""
    print(f"RATIO {name} {value:.2f}", flush=True)
