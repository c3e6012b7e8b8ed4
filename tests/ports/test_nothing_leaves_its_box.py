"""A document is looked at as printed: no text leaves the margins, none stands on another, whatever it has to hold."""

import re
import subprocess
from dataclasses import dataclass, replace
from html import unescape

import pytest

from invoicing.documents import InvoiceDocument, Preceding
from invoicing.documents.pdf import PdfRenderer
from tests.support import papers

pytestmark = pytest.mark.poppler
MARGIN, SLACK, BEHIND = 20 / 25.4 * 72, 1.5, 60  # points
PAGE = re.compile(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', re.DOTALL)
WORD = re.compile(r'<word xMin="(-?[\d.]+)" yMin="(-?[\d.]+)" xMax="(-?[\d.]+)" yMax="(-?[\d.]+)">(.*?)</word>')


@dataclass(frozen=True)
class Word:
    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def behind(self) -> bool:
        """A letter of the faint words that lie under a pro-forma."""
        return self.bottom - self.top > BEHIND

    def over(self, other: "Word") -> bool:
        """They share more than the air between lines: letters stand in the middle three fifths of a word's box."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        air = (self.bottom - self.top) / 5
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide > 1 and high > 2 * air


def pages(document: InvoiceDocument) -> list[tuple[float, float, list[Word]]]:
    said = subprocess.run(
        ["pdftotext", "-bbox", "-", "-"], input=PdfRenderer().render(document), capture_output=True, check=True
    ).stdout.decode()
    found = [
        (float(width), float(height), [Word(*map(float, word[:4]), unescape(word[4])) for word in WORD.findall(body)])
        for width, height, body in PAGE.findall(said)
    ]
    return [(width, height, [word for word in words if not word.behind]) for width, height, words in found]


def wrong(document: InvoiceDocument) -> list[str]:
    found = []
    for number, (width, height, words) in enumerate(pages(document), 1):
        assert len(words) > 10
        for place, word in enumerate(words):
            inside = word.left >= MARGIN - SLACK and word.right <= width - MARGIN + SLACK
            if not inside or word.top < 0 or word.bottom > height:
                found.append(f"page {number}: {word.text!r} leaves its margin")
            found += [f"page {number}: {word.text!r} on {one.text!r}" for one in words[:place] if word.over(one)]
    return found


LONG, UNBROKEN = "Société d’exploitation des établissements Dupont-Duràn et Fils réunis " * 2, "X" * 160
MANY = tuple(
    replace(papers.SERVER, description=f"VPS M - server-with-a-rather-long-name-{n}.example", net_cents=1190)
    for n in range(40)
)  # fmt: skip
WIDE = replace(
    papers.SERVER, description=UNBROKEN, detail="y" * 200, quantity="1234567.123456789", unit="GB",
    unit_price="1234.123456", net_cents=152_360_824_506,
)  # fmt: skip
PAPERS = {
    "plain": papers.DOCUMENT,
    "forty lines": papers.with_lines(*MANY),
    "long names": replace(
        papers.DOCUMENT, brand=LONG,
        customer=replace(papers.CUSTOMER, name=LONG, address=(LONG, LONG, "33000 Bordeaux")),
    ),
    "words without an end": replace(
        papers.DOCUMENT, order_number="P" * 60, reference="R" * 40,
        customer=replace(
            papers.CUSTOMER, name=UNBROKEN, address=(UNBROKEN,), facts=(UNBROKEN,), contact=f"{'m' * 120}@x.test"
        ),
    ),
    "wide figures": papers.with_lines(WIDE, papers.TRAFFIC),
    "credit note": replace(
        papers.DOCUMENT, kind="credit_note", credits="F2026-000041", reason=LONG * 2,
        preceding=(Preceding("F2026-000041", "2026-03-01"),),
    ),
    "pro forma": replace(papers.DOCUMENT, kind="pro_forma", number=""),
    "many down payments": replace(
        papers.DOCUMENT, process="S4",
        preceding=tuple(Preceding(f"F2026-0000{n}", "2026-01-01") for n in range(10, 20)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", PAPERS)
def test_no_text_leaves_its_box_or_stands_on_another(name: str, language: str) -> None:
    assert wrong(replace(PAPERS[name], language=language)) == []


def test_the_look_finds_what_is_wrong() -> None:
    one, two = Word(60, 100, 90, 110, "one"), Word(85, 102, 120, 112, "two")
    assert one.over(two)
    assert not one.over(replace(two, left=91))
    assert not one.over(replace(two, top=110, bottom=120))
