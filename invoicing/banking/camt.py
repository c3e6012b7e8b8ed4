"""Reads the bank's statements: camt.053 (a day's account) and camt.054 (single bookings), strictly.

Only bookings in EUR on our own account are taken: credits, direct debits that the bank booked back, and what went out;
everything else in the file is left alone. RefusedFile says in words what is wrong with a file; nothing of it is then
kept.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from invoicing.banking import iso20022
from invoicing.banking.iso20022 import RefusedFile
from panel.core.money import Cents, round_cents

_SPACE = re.compile(r"^\{urn:iso:std:iso:20022:tech:xsd:(camt\.05[34]\.001\.\d\d)\}Document$")
NO_REASON = "MS03"
"""The scheme's own code for a reason that the bank does not give."""


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit that was booked; `bank_ref` is unique and the same in every file that tells of it. `end_to_end` and
    `group` are our names of a direct debit, and of the debits of a day of a file, where it is their money."""

    bank_ref: str
    booked_on: date
    cents: Cents
    payer: str
    text: str
    end_to_end: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """A direct debit that the bank booked back, by our name of it; `code` is its reason. `cents` is what had been
    collected, without what the bank takes for it."""

    bank_ref: str
    booked_on: date
    cents: Cents
    end_to_end: str
    code: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A debit that was booked and is no direct debit that came back; `text` is all that it says, our name of it too."""

    bank_ref: str
    booked_on: date
    cents: Cents
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    format: str
    credits: tuple[Credit, ...]
    returned: tuple[Returned, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()


Booking = TypeVar("Booking", Credit, Returned)


def read(raw: bytes, *, iban: str) -> Statement:
    """The booked credits of a file about the account `iban`. RefusedFile when it is no such file."""
    root = iso20022.parse(raw)
    known = _SPACE.match(root.tag)
    if known is None:
        raise RefusedFile(_("This is neither a camt.053 nor a camt.054 file."))
    reader = _Reader(root.tag[: root.tag.index("}") + 1])
    parts = [part for kind in ("Stmt", "Ntfctn") for part in root.iter(reader.space + kind)]
    if not parts:
        raise RefusedFile(_("The file holds no statement."))
    found: list[Credit] = []
    back: list[Returned] = []
    out: list[Outgoing] = []
    for part in parts:
        reader.begin()
        account = reader.text(part, "Acct/Id/IBAN").replace(" ", "")
        if account != iban.replace(" ", ""):
            raise RefusedFile(_("The file is about the account %(iban)s, not about ours.") % {"iban": account or "?"})
        for entry in part.findall(f"{reader.space}Ntry"):
            found += reader.credits(entry)
            back += reader.returned(entry)
            out += reader.outgoing(entry)
    return Statement(known[1], _each_once(found), _each_once(back), tuple(out))


def _each_once(found: list[Booking]) -> tuple[Booking, ...]:
    """What two statements of one file both tell is one booking; two bookings under one name are refused, not lost."""
    named: dict[str, Booking] = {}
    for one in found:
        if named.setdefault(one.bank_ref, one) != one:
            raise RefusedFile(_("The file gives two bookings the same reference, %(ref)s.") % {"ref": one.bank_ref})
    return tuple(named.values())


class _Reader(iso20022.Reader):
    """Finds bookings in the statements of one version."""

    def begin(self) -> None:
        """A statement begins: what in it has no name of the bank's is told apart by its order there."""
        self._alike = Counter[str]()

    def credits(self, entry: Any) -> list[Credit]:
        """The credits of an entry: one for each of its transactions, else the entry itself."""
        status = self.text(entry, "Sts/Cd", "Sts")
        reversed_ = self.text(entry, "RvslInd").lower() in ("true", "1")
        if self.text(entry, "CdtDbtInd") != "CRDT" or status != "BOOK" or reversed_:
            return []
        booked = self._day(self.text(entry, "BookgDt/Dt", "BookgDt/DtTm"))
        details = entry.findall(f"{self.space}NtryDtls/{self.space}TxDtls")
        amounts = [self._amount(one) for one in details]
        if not details or any(cents is None for cents in amounts):
            if len(details) > 1:
                raise RefusedFile(_("A transaction of the file has no amount."))
            details, amounts = details or [entry], [self._amount(entry)]
        total = self._amount(entry)
        if total is None:
            return []  # another currency
        if sum(cents or 0 for cents in amounts) != total:
            raise RefusedFile(_("The amounts of an entry do not add up."))
        return [
            self._credit(entry, one, booked, cents or 0, place)
            for place, (one, cents) in enumerate(zip(details, amounts, strict=True))
        ]

    def _credit(self, entry: Any, one: Any, booked: date, cents: Cents, place: int) -> Credit:
        text = self._said(one)
        payer = self.text(one, "RltdPties/Dbtr/Pty/Nm", "RltdPties/Dbtr/Nm")
        named = self._reference(entry, one, place)
        if not named:  # the bank names nothing: what it says is the name
            same = f"{booked}|{cents}|{payer}|{text}"
            named = hashlib.sha256(f"{same}|{self._alike[same]}".encode()).hexdigest()[:40]
            self._alike[same] += 1
        return Credit(
            f"{booked.isoformat()} {named}"[:80], booked, cents, payer[:140], text[:500],
            end_to_end=self.text(one, "Refs/EndToEndId"),
            group=self.text(one, "Refs/PmtInfId") or self.text(entry, "NtryDtls/Btch/PmtInfId"),
        )  # fmt: skip

    def _said(self, one: Any) -> str:
        said = [self.text(one, "RmtInf/Strd/CdtrRefInf/Ref"), self.text(one, "Refs/EndToEndId")]
        said += [" ".join((node.text or "").split()) for node in one.iter(f"{self.space}Ustrd")]
        return " ".join(part for part in said if part and part != "NOTPROVIDED")

    def outgoing(self, entry: Any) -> list[Outgoing]:
        """What an entry took off our account: its transactions of which the bank tells amount and name."""
        status, reversed_ = self.text(entry, "Sts/Cd", "Sts"), self.text(entry, "RvslInd").lower() in ("true", "1")
        if self.text(entry, "CdtDbtInd") != "DBIT" or status != "BOOK" or reversed_:
            return []
        booked = self._day(self.text(entry, "BookgDt/Dt", "BookgDt/DtTm"))
        details = entry.findall(f"{self.space}NtryDtls/{self.space}TxDtls") or [entry]
        found = []
        for place, one in enumerate(details):
            cents = self._amount(one) or (self._amount(entry) if len(details) == 1 else None)
            named = self._reference(entry, one, place)
            if cents and named and self.find(one, "RtrInf") is None:
                found.append(Outgoing(f"{booked.isoformat()} {named}"[:80], booked, cents, self._said(one)[:500]))
        return found

    def returned(self, entry: Any) -> list[Returned]:
        """The direct debits that an entry books back: its transactions that give a reason of return."""
        status = self.text(entry, "Sts/Cd", "Sts")
        if self.text(entry, "CdtDbtInd") != "DBIT" or status != "BOOK":
            return []
        booked = self._day(self.text(entry, "BookgDt/Dt", "BookgDt/DtTm"))
        details = entry.findall(f"{self.space}NtryDtls/{self.space}TxDtls")
        return [
            self._returned(entry, one, booked, place, alone=len(details) == 1)
            for place, one in enumerate(details)
            if self.find(one, "RtrInf") is not None
        ]

    def _returned(self, entry: Any, one: Any, booked: date, place: int, *, alone: bool) -> Returned:
        original = self.find(one, "AmtDtls/InstdAmt")  # without the charges of the bank
        cents = self._amount(original) if original is not None else None
        cents = cents or self._amount(one) or (self._amount(entry) if alone else None)
        if cents is None:
            raise RefusedFile(_("A transaction of the file has no amount."))
        named, end_to_end = self._reference(entry, one, place), self.text(one, "Refs/EndToEndId")
        code = self.text(one, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry")[:10] or NO_REASON
        bank_ref = f"{booked.isoformat()} {named or end_to_end}"[:80]
        return Returned(bank_ref, booked, cents, end_to_end, code)

    def _reference(self, entry: Any, one: Any, place: int) -> str:
        """The bank's own name of a transaction; "" when it gives none. Those of a batch may all carry the batch's."""
        path = "Refs/AcctSvcrRef"
        named = self.text(one, path) or self.text(entry, "AcctSvcrRef", "NtryRef")
        alone = [self.text(other, path) for other in entry.iter(f"{self.space}TxDtls")].count(named) == 1
        return named if alone or not place else f"{named}/{place}" if named else ""

    def _amount(self, node: Any) -> Cents | None:
        """Cents of an amount in EUR; None for another currency, or none. RefusedFile when it is no amount."""
        found = self.find(node, "Amt")
        if found is None:
            found = self.find(node, "AmtDtls/TxAmt/Amt")
        if found is None or found.get("Ccy") != "EUR":
            return None
        try:
            euros = Decimal((found.text or "").strip())
        except InvalidOperation:
            raise RefusedFile(_("An amount of the file cannot be read.")) from None
        if not euros.is_finite() or euros <= 0 or euros != round(euros, 2):
            raise RefusedFile(_("An amount of the file cannot be read."))
        return round_cents(euros)

    @staticmethod
    def _day(text: str) -> date:
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            raise RefusedFile(_("An entry of the file has no booking date.")) from None
