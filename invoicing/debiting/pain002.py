"""Reads the bank's status reports on our files (pain.002), strictly. RefusedFile says in words what is wrong with one;
nothing of it is then kept."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from invoicing.banking import iso20022
from invoicing.banking.iso20022 import Reader, RefusedFile
from panel.core.money import Cents, round_cents

_SPACE = re.compile(r"^\{urn:iso:std:iso:20022:tech:xsd:(pain\.002\.001\.\d\d)\}Document$")
REJECTED = "RJCT"
NO_REASON = "MS03"
"""The scheme's own code for a reason that the bank does not give."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the bank says of one debit, by our reference."""

    end_to_end: str
    status: str
    code: str
    cents: Cents | None


@dataclass(frozen=True, slots=True)
class Report:
    """A status report about the file `message`. `refused_groups`: (group, code) refused as a whole; the group "" is the
    file itself."""

    format: str
    message: str
    statuses: tuple[Status, ...]
    refused_groups: tuple[tuple[str, str], ...]


def is_report(raw: bytes) -> bool:
    """Whether a file says that it is one; what it says is read by `read`."""
    return b"iso:20022:tech:xsd:pain.002." in raw[:2000]


def read(raw: bytes) -> Report:
    """The report. RefusedFile when it is none."""
    root = iso20022.parse(raw)
    known = _SPACE.match(root.tag)
    if known is None:
        raise RefusedFile(_("This is no status report of a bank (pain.002)."))
    reader = Reader(root.tag[: root.tag.index("}") + 1])
    whole = reader.find(root, "CstmrPmtStsRpt/OrgnlGrpInfAndSts")
    message = reader.text(whole, "OrgnlMsgId") if whole is not None else ""
    if not message:
        raise RefusedFile(_("The report does not name the file that it is about."))
    statuses, refused_groups = [], []
    groups = list(root.iter(f"{reader.space}OrgnlPmtInfAndSts"))
    loose = root.findall(f"{reader.space}CstmrPmtStsRpt/{reader.space}TxInfAndSts")
    for group in groups:
        inside = group.findall(f"{reader.space}TxInfAndSts")
        statuses += [_status(reader, one) for one in inside]
        if not inside and reader.text(group, "PmtInfSts") == REJECTED:
            refused_groups.append((reader.text(group, "OrgnlPmtInfId"), _code(reader, group)))
    statuses += [_status(reader, one) for one in loose]
    if not statuses and not refused_groups and reader.text(whole, "GrpSts") == REJECTED:
        refused_groups.append(("", _code(reader, whole)))
    return Report(known[1], message, tuple(statuses), tuple(refused_groups))


def _status(reader: Reader, node: Any) -> Status:
    named = reader.text(node, "OrgnlEndToEndId")
    if not named:
        raise RefusedFile(_("A status of the report names no transaction."))
    return Status(named, reader.text(node, "TxSts"), _code(reader, node), _cents(reader, node))


def _code(reader: Reader, node: Any) -> str:
    return reader.text(node, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")[:10] or NO_REASON


def _cents(reader: Reader, node: Any) -> Cents | None:
    said = reader.text(node, "OrgnlTxRef/Amt/InstdAmt")
    if not said:
        return None
    try:
        euros = Decimal(said)
    except InvalidOperation:
        raise RefusedFile(_("An amount of the file cannot be read.")) from None
    if not euros.is_finite() or euros <= 0 or euros != round(euros, 2):
        raise RefusedFile(_("An amount of the file cannot be read."))
    return round_cents(euros)
