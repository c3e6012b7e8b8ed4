"""The port to whatever prints a document: a frozen InvoiceDocument in, bytes out.

Everything that is printed stands in the InvoiceDocument, amounts in cents and texts in their final language, and is
kept with the issued invoice: printing asks nothing else, so that a document never changes with a setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Protocol

from panel.core.canonical import Unfinished, quoted
from panel.core.remembering import remembered

INVOICE, CREDIT_NOTE, PRO_FORMA, STATEMENT = "invoice", "credit_note", "pro_forma", "statement"


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or customer. `address` and `facts` (SIREN, RCS, VAT number) are the lines as they are printed; what stands
    below them is the same for machines. `legal_id` is a SIREN, `country` an ISO code, `contact` an e-mail address."""

    name: str
    address: tuple[str, ...]
    facts: tuple[str, ...] = ()
    contact: str = ""
    legal_id: str = ""
    vat_number: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""
    attention: str = ""


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """`quantity` and `unit_price` (EUR) are exact decimals as text; `detail` is the smaller print under the name.
    `start` and `end` are ISO days, both counted in; `unit_code` is the unit before it was put into words."""

    description: str
    detail: str
    rule: str
    quantity: str
    unit: str
    unit_price: str
    vat: str
    net_cents: int
    code: str = ""
    unit_code: str = ""
    vat_code: str = ""
    vat_rate: str = "0"
    start: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class DocumentVat:
    """One rate group of the VAT summary; `label` says what it is where there is no rate. `code` is UNTDID 5305, `rate`
    percent as text, `exemption` why there is no VAT, in words and, where one code says it, as `exemption_code`."""

    label: str
    net_cents: int
    vat_cents: int
    code: str = ""
    rate: str = "0"
    exemption: str = ""
    exemption_code: str = ""


@dataclass(frozen=True, slots=True)
class Preceding:
    """A document that this one follows: the invoice a credit note corrects, the down payments an invoice deducts."""

    number: str
    issued_on: str


@dataclass(frozen=True, slots=True)
class Note:
    """A legal notice with its code of UNTDID 4451 (PMD, PMT, AAB, BAR), as e-invoices carry it."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """From which means what is due will be collected: `by` is "card" or "sepa"; of a debit the reference of its mandate
    and the creditor identifier, where they are known. Never more than the last four digits of a card or account."""

    by: str
    last4: str
    brand: str = ""
    mandate: str = ""
    creditor: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """All that an invoice, a credit note or a pro-forma says. Days are ISO; `number` is empty on a pro-forma.

    `process` (BT-23 of EN 16931) is S1 for services, S2 when they are paid already, S4 when down payments are deducted;
    a document without one, such as a pro-forma, is no e-invoice. `channel` is the value of note BAR.
    """

    kind: str
    language: str
    number: str
    issued_on: str
    due_on: str
    reference: str
    brand: str
    seller: Party
    customer: Party
    business: bool
    lines: tuple[DocumentLine, ...]
    vat: tuple[DocumentVat, ...]
    net_cents: int
    vat_cents: int
    total_cents: int
    paid_cents: int
    settlement: tuple[str, ...]
    mentions: tuple[str, ...]
    terms_version: str
    credits: str = ""
    reason: str = ""
    process: str = ""
    channel: str = ""
    down_payment: bool = False
    order_number: str = ""
    vat_on_debits: bool = False
    paid_on: str = ""
    paid_by: str = ""
    notes: tuple[Note, ...] = ()
    preceding: tuple[Preceding, ...] = ()
    collection: Collection | None = None

    @property
    def title_key(self) -> str:
        """The label that names the document."""
        return "down_payment" if self.down_payment and self.kind == INVOICE else self.kind

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the column that keeps it."""
        plain: dict[str, Any] = _plain(self)
        return plain

    def unfinished(self) -> Unfinished:
        """The canonical text of `as_dict`, but for the number, at a third of what making both costs."""
        seller, notes, mentions = _again(self.seller), _again(self.notes), _again(self.mentions)
        said = {"seller": seller, "notes": notes, "mentions": mentions}
        before, after = (
            ",".join([head + (said[name] if name in said else _text(value)) for name, head, value in
                      zip(names, heads, values(self), strict=True)])
            for names, heads, values in _AROUND_THE_NUMBER
        )  # fmt: skip
        return Unfinished(f'{{{before},"number":', f",{after}}}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "InvoiceDocument":
        """What `as_dict` wrote, also after a round trip through JSON."""
        values = dict(data)
        for side in ("seller", "customer"):
            party = dict(values[side])
            values[side] = Party(**party | {name: tuple(party[name]) for name in ("address", "facts")})
        values["lines"] = tuple(DocumentLine(**line) for line in values["lines"])
        values["vat"] = tuple(DocumentVat(**group) for group in values["vat"])
        values["settlement"] = tuple(values["settlement"])
        values["mentions"] = tuple(values["mentions"])
        values["notes"] = tuple(Note(**note) for note in values.get("notes", ()))
        values["preceding"] = tuple(Preceding(**one) for one in values.get("preceding", ()))
        if values.get("collection"):
            values["collection"] = Collection(**values["collection"])
        return cls(**values)


def _reader(kind: type) -> tuple[tuple[str, ...], Any]:
    names = tuple(field.name for field in fields(kind))
    return names, attrgetter(*names)


_READ = {
    kind: _reader(kind) for kind in (InvoiceDocument, Party, DocumentLine, DocumentVat, Preceding, Note, Collection)
}


def _plain(value: Any) -> Any:
    """As `dataclasses.asdict` would have it, which copies every text besides: half of what issuing a document cost."""
    kind = type(value)
    if kind is str or kind is int:
        return value
    if kind is tuple:
        return tuple(map(_plain, value))
    if kind not in _READ:
        return value
    names, values = _READ[kind]
    return dict(zip(names, map(_plain, values(value)), strict=True))


def _writer(names: list[str]) -> tuple[list[str], list[str], Any]:
    """These fields, in the order of canonical text, what stands before each value, and what reads the values."""
    return names, [f"{quoted(name)}:" for name in names], attrgetter(*names)


_WRITTEN = {kind: _writer(sorted(names)) for kind, (names, _values) in _READ.items()}
_ALL = _WRITTEN[InvoiceDocument][0]
_AROUND_THE_NUMBER = [
    _writer(names) for names in ([name for name in _ALL if name < "number"], [name for name in _ALL if name > "number"])
]


def _text(value: Any) -> str:
    """A value of a document in canonical text."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is int:
        return str(value)
    if kind is tuple:
        return f"[{','.join(map(_text, value))}]"
    if kind not in _WRITTEN:
        return quoted(value) if isinstance(value, str) else {True: "true", False: "false", None: "null"}[value]
    _names, heads, values = _WRITTEN[kind]
    return f"{{{','.join([head + _text(each) for head, each in zip(heads, values(value), strict=True)])}}}"


@remembered
def _again(value: Any) -> str:
    """What many documents say alike, and nothing but texts."""
    return _text(value)


class Renderer(Protocol):
    """Turns a document into the bytes of a file."""

    content_type: str

    def render(self, document: InvoiceDocument) -> bytes: ...
