"""The file of accounting entries that a tax audit asks for (LPF art. A47 A-1): 18 columns, tab between them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
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
    """One posting; positive `cents` are a debit. `number` counts the entries of the accounting year without gap.
    `letter` and `lettered_on`: what settles it, and since when (`Lettered`)."""

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
    letter: str = ""
    lettered_on: date | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What an entry moved on the customers' account; `name` where it is a document."""

    day: date
    cents: Cents
    name: str = ""


@dataclass(frozen=True, slots=True)
class Lettered:
    """Entries that settle one another bear one letter, from the day the last of them was booked: the first document's
    number, "" where no document is among them."""

    letter: str
    day: date


def lettered(claims: Mapping[int, Claim], links: Iterable[tuple[int, int]]) -> dict[int, Lettered]:
    """Which entries (by key) are lettered: those that `links` tie together and that come to nothing."""
    groups = {key: {key} for key in claims}
    for one, other in links:
        if one in groups and other in groups and groups[one] is not groups[other]:
            small, large = sorted((groups[one], groups[other]), key=len)
            large |= small
            for key in small:
                groups[key] = large
    found: dict[int, Lettered] = {}
    for group in {id(group): group for group in groups.values()}.values():
        members = [claims[key] for key in group]
        if len(members) > 1 and sum(one.cents for one in members) == 0:
            names = sorted(one.name for one in members if one.name)
            settled = Lettered(names[0] if names else "", max(one.day for one in members))
            found |= dict.fromkeys(group, settled)
    return found


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
    lettered_on = f"{line.lettered_on:%Y%m%d}" if line.lettered_on else ""
    return "\t".join((
        line.journal, text(line.journal_name), str(line.number), day, line.account, text(line.account_name),
        text(line.auxiliary), text(line.auxiliary_name), text(line.piece), day, text(line.label), amount(debit),
        amount(credit), text(line.letter), lettered_on, day, "", "",
    ))  # fmt: skip


def file(lines: Iterable[Line]) -> Iterator[str]:
    """The whole file, line by line."""
    yield "\t".join(COLUMNS) + "\r\n"
    for line in lines:
        yield row(line) + "\r\n"


def name(siren: str, last: date) -> str:
    """How the file must be called: SIREN, FEC, the day the period ends."""
    return f"{siren}FEC{last:%Y%m%d}.txt"
