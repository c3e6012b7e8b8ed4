"""The file of accounting entries that a tax audit asks for (LPF art. A47 A-1): 18 columns, tab between them. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from panel.core.money import Cents, euros

COLUMNS = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One posting; positive `cents` are a debit. `number` counts the entries of the accounting year without gap."""

    journal: str
    journal_name: str
    number: int
    day: date
    account: str
    account_name: str
    auxiliary: str
    auxiliary_name: str
    piece: str
    label: str
    cents: Cents


def amount(cents: Cents) -> str:
    """`12,34`: a comma, no thousands, never negative."""
    return str(euros(cents).quantize(euros(1))).replace(".", ",")


def text(value: str) -> str:
    """One field: no tab and no line break may split it."""
    return " ".join(value.split())


def row(line: Line) -> str:
    """One line of the file, without its end."""
    day = line.day.strftime("%Y%m%d")
    debit, credit = max(line.cents, 0), max(-line.cents, 0)
    return "\t".join((
        line.journal, text(line.journal_name), str(line.number), day, line.account, text(line.account_name),
        text(line.auxiliary), text(line.auxiliary_name), text(line.piece), day, text(line.label), amount(debit),
        amount(credit), "", "", day, "", "",
    ))  # fmt: skip


def file(lines: Iterable[Line]) -> Iterator[str]:
    """The whole file, line by line."""
    yield "\t".join(COLUMNS) + "\r\n"
    for line in lines:
        yield row(line) + "\r\n"


def name(siren: str, last: date) -> str:
    """How the file must be called: SIREN, FEC, the day the period ends."""
    return f"{siren}FEC{last:%Y%m%d}.txt"
