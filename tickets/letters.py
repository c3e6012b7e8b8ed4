"""One incoming e-mail message, read safely: whatever strangers send, reading it ends, soon, with what could be read.

The parser is the standard library's under its older, literal policy: the newer one interprets header grammar and needs
minutes for a hostile header of a few kilobytes. Limits: 25 MB, 200 parts, 20 levels, 4,000 characters a header.
"""

from __future__ import annotations

import email
import email.parser
import email.utils
import re
from dataclasses import dataclass
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from html.parser import HTMLParser

MAX_BYTES = 25 * 1024 * 1024
MAX_PARTS = 200
MAX_NESTING = 20
MAX_HEADER = 4_000
MAX_TEXT = 200_000

_BOUNDARY = re.compile(rb'boundary\s*=\s*"?([^"\s;]{1,200})', re.IGNORECASE)
_PGP_HEAD = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[A-Za-z]+: [^\n]*\n)*\r?\n")
_PGP_TAIL = re.compile(r"-----BEGIN PGP SIGNATURE-----[A-Za-z0-9+/=\s:.()-]*-----END PGP SIGNATURE-----")
_NO_CHARSETS = frozenset({"utf-7", "utf7", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
MAX_LINES = 600_000
MAX_BOUNDARIES = 40


@dataclass(frozen=True)
class Part:
    """A leaf of the message: its declared type, its cleaned file name and its decoded bytes."""

    content_type: str
    filename: str
    charset: str
    data: bytes
    attached: bool

    @property
    def text(self) -> str:
        """The bytes as text, at most 200,000 characters; never an error (charset names are often wrong)."""
        return to_text(self.data[: 4 * MAX_TEXT], self.charset)[:MAX_TEXT]


@dataclass(frozen=True)
class Letter:
    """What a message says of itself. Nothing in it is proven; `problems` are sentences for staff."""

    raw: bytes
    sender: str
    sender_name: str
    senders: int
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    answers: str
    automatic: bool
    bounced: tuple[str, ...]
    text: str
    parts: tuple[Part, ...]
    problems: tuple[str, ...] = ()

    @property
    def attachments(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.attached)


def parse(raw: bytes) -> Letter:
    """Read one message. Bytes that are no e-mail at all become its text."""
    problems: list[str] = []
    if len(raw) > MAX_BYTES:
        problems.append(f"longer than {MAX_BYTES} bytes: only its beginning was read")
        raw = raw[:MAX_BYTES]
    message = _message(raw, problems)
    parts = _parts(message, problems)
    return Letter(
        raw=raw,
        sender=next(iter(_addresses(message, "From")), ""),
        sender_name=_name(message),
        senders=len(message.get_all("From", [])),
        recipients=_recipients(message),
        subject=header(message, "Subject"),
        message_id=header(message, "Message-ID")[:250],
        answers=f"{header(message, 'In-Reply-To')} {header(message, 'References')}",
        automatic=_automatic(message),
        bounced=_bounced(message, parts),
        text=_body(parts),
        parts=parts,
        problems=tuple(problems),
    )


def header(message: Message, name: str) -> str:
    """One header, decoded, without line ends or control characters, at most 4,000 characters."""
    value = str(message.get(name, ""))[:MAX_HEADER]
    try:
        pieces = decode_header(value)
    except (ValueError, LookupError, email.errors.MessageError):
        pieces = [(value, None)]
    text = "".join(piece if isinstance(piece, str) else to_text(piece, charset or "utf-8") for piece, charset in pieces)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def to_text(data: bytes, charset: str) -> str:
    """Bytes as text by the declared charset, else UTF-8, else Latin-1: there is always an answer."""
    wanted = re.split(r"[;\s]", charset.strip().strip("\"'").lower(), maxsplit=1)[0]
    for name in dict.fromkeys((wanted, "utf-8")):
        if not name or name in _NO_CHARSETS:
            continue
        try:
            return data.decode(name).replace("\0", " ")
        except (UnicodeError, LookupError, ValueError):
            continue
    return data.decode("latin-1").replace("\0", " ")


def _message(raw: bytes, problems: list[str]) -> Message:
    boundaries = list(dict.fromkeys(_BOUNDARY.findall(raw)))
    nested = len(boundaries) + raw.lower().count(b"message/rfc822")
    parts = sum(raw.count(b"\n--" + boundary) for boundary in boundaries[:MAX_BOUNDARIES])
    if nested <= MAX_BOUNDARIES and parts <= 10 * MAX_PARTS and raw.count(b"\n") <= MAX_LINES:
        try:
            return email.message_from_bytes(raw, policy=compat32)
        except (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError):
            pass
    problems.append("too many lines or parts, or nested too deeply: only the header was read")
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0][:100_000]
    return email.parser.BytesHeaderParser(policy=compat32).parsebytes(head + b"\n\n")


def _parts(message: Message, problems: list[str]) -> tuple[Part, ...]:
    """The leaves, forwarded messages opened, in the order of the message."""
    found: list[Part] = []
    waiting: list[tuple[Message, int]] = [(message, 0)]
    while waiting:
        node, depth = waiting.pop()
        payload = node.get_payload()
        if isinstance(payload, list):
            if depth >= MAX_NESTING:
                problems.append(f"parts below level {MAX_NESTING} were not read")
                continue
            children = [child for child in payload[: MAX_PARTS + 1] if isinstance(child, Message)]
            waiting.extend((child, depth + 1) for child in reversed(children))
            continue
        if len(found) >= MAX_PARTS:
            problems.append(f"only the first {MAX_PARTS} parts were read")
            break
        found.append(_part(node))
    return tuple(found)


def _part(node: Message) -> Part:
    try:
        data = node.get_payload(decode=True)
        filename = str(node.get_filename() or "")
        charset = str(node.get_content_charset() or "")
        kind = node.get_content_type()
        attached = node.get_content_disposition() == "attachment"
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
        data = str(node.get_payload()).encode("utf-8", "replace")
        filename, charset, kind, attached = "", "", "text/plain", False
    return Part(
        content_type="text/plain" if kind.startswith("multipart/") else kind[:100],  # a multipart without boundary
        filename=re.sub(r"[^\w. ()+-]", "_", filename)[-120:].lstrip(". "),
        charset=charset,
        data=data if isinstance(data, bytes) else b"",
        attached=attached or bool(filename),
    )


def _body(parts: tuple[Part, ...]) -> str:
    """The text meant to be read: plain parts, else HTML turned into text; without the frame of a clear signature."""
    inline = [part for part in parts if not part.attached]
    plain = [part.text for part in inline if part.content_type == "text/plain" and part.text.strip()]
    if not plain:
        plain = [html_to_text(part.text) for part in inline if part.content_type == "text/html"][:1]
    text = "\n\n".join(plain)[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n")
    if "-----BEGIN PGP SIGNED MESSAGE-----" in text:
        text = _PGP_TAIL.sub("", _PGP_HEAD.sub("", text, count=1), count=1)
        text = re.sub(r"^- ", "", text, flags=re.MULTILINE)
    return text


def _addresses(message: Message, *names: str) -> list[str]:
    values = [str(value)[:MAX_HEADER] for name in names for value in message.get_all(name, [])[:20]]
    try:
        pairs = email.utils.getaddresses(values)
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
        return []
    return [address.lower() for _, address in pairs if re.fullmatch(r"[^@\s<>]{1,64}@[^@\s<>]{1,255}", address)]


def _recipients(message: Message) -> tuple[str, ...]:
    names = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
    return tuple(dict.fromkeys(_addresses(message, *names)))[:100]


def _name(message: Message) -> str:
    return re.split(r"[<(]", header(message, "From"), maxsplit=1)[0].strip().strip('"')[:200]


def _automatic(message: Message) -> bool:
    """Whether a machine wrote it: vacation replies, bounces, lists (RFC 3834). Such a message answers nothing."""
    if header(message, "Auto-Submitted").lower().split(";")[0].strip() not in {"", "no"}:
        return True
    if header(message, "Precedence").lower() in {"bulk", "junk", "list", "auto_reply"}:
        return True
    if any(message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "List-Id")):
        return True
    sender = (_addresses(message, "From") or [""])[0].split("@")[0]
    null_path = message.get("Return-Path") is not None and header(message, "Return-Path") in {"<>", ""}
    return null_path or message.get_content_type() == "multipart/report" or sender in {"mailer-daemon", "postmaster"}


def _bounced(message: Message, parts: tuple[Part, ...]) -> tuple[str, ...]:
    """The recipients that a delivery report (RFC 3464) says were finally refused."""
    failed: list[str] = []
    if message.get_content_type() != "multipart/report":
        return ()
    for child in [node for node in message.walk() if node.get_content_type() == "message/delivery-status"][:5]:
        blocks = child.get_payload()
        for block in blocks[:MAX_PARTS] if isinstance(blocks, list) else []:
            action = header(block, "Action").lower() if isinstance(block, Message) else ""
            if action == "failed" and isinstance(block, Message):
                failed.append(header(block, "Final-Recipient").rpartition(";")[2].strip().lower()[:254])
    return tuple(dict.fromkeys(recipient for recipient in failed if "@" in recipient))


class _TextOfHtml(HTMLParser):
    _breaks = frozenset({"p", "br", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "pre"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "head"}:
            self._hidden += 1
        elif tag in self._breaks:
            self.out.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "head"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag in self._breaks:
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.out.append(data)


def html_to_text(html: str) -> str:
    """The words of an HTML text, with line breaks where its blocks end. Nothing of it is ever shown as HTML."""
    reader = _TextOfHtml()
    try:
        reader.feed(html[:MAX_TEXT])
    except (AssertionError, ValueError, RecursionError):
        return re.sub(r"<[^<>]{0,500}>", " ", html[:MAX_TEXT])
    lines = (" ".join(line.split()) for line in "".join(reader.out).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
