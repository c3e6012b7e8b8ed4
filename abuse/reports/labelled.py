"""Plain text: lines of "label: value" where there are any, else whatever addresses and times the text holds.

This is the main road, not the exception: most reports are prose. A reading is likely only when a label names the one
source, a time has its zone and the words leave one category; all else is unsure and waits for staff.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from abuse.reports import (
    MAX_EVIDENCE,
    MAX_EXCERPT,
    MAX_ITEMS,
    MAX_TEXT,
    Category,
    Confidence,
    Evidence,
    Precision,
    ReportDraft,
    Source,
    Span,
    times,
)
from abuse.reports.addresses import addresses_in
from tickets.letters import Letter

LABELS = {
    "source": "source|source ip|source-ip|src|src ip|ip|ip address|ip-address|infringing ip|infringement source|host"
    "|offending ip|attacking ip|detected attacking ip|attacker|attacker ip|abusive ip"
    "|adresse ip|ip source|adresse source|ip-adresse",
    "port": "port|source port|src port|ip port|port source",
    "time": "date|time|date/time|date and time|timestamp|event time|incident time|first seen|last seen"
    "|occurred|detected|infringement date|infringement timestamp|recent infringement timestamp|arrival-date"
    "|received-date|horodatage|date et heure|date de constatation|zeitpunkt|zeit",
    "url": "url|link|infringing url|infringement url|location|infringing location|lien|adresse url",
    "work": "work|title|work title|copyrighted work|infringed work|infringement title|asset title|oeuvre|œuvre|titre",
    "holder": "rights holder|right holder|rights owner|copyright holder|copyright owner|on behalf of|rightsholder"
    "|titulaire des droits|titulaire|ayant droit",
    "reference": "reference|ref|our reference|case|case id|case-id|notice id|complaint id|report id|report-id|ticket id"
    "|référence|dossier|numéro de dossier",
    "kind": "category|report-type|type|infringement type|complaint type|catégorie|nature",
}
MEANING = {label: meaning for meaning, labels in LABELS.items() for label in labels.split("|")}

WORDS = {
    Category.COPYRIGHT: r"copyright|dmca|droits? d['’]auteur|contrefa[çc]on|infringing (?:content|file|work|material)"
    r"|piracy|piratage|rights?[- ]?(?:holder|owner)|unauthori[sz]ed (?:distribution|copy|copies)|bittorrent"
    r"|urheberrecht",
    Category.BLOCKLIST: r"blacklist(?:ed)?|blocklist(?:ed)?|dnsbl|rbl|liste noire|uceprotect|spamhaus",
    Category.SPAM: r"spam(?:ming|trap)?|unsolicited|pourriel|phishing mail|feedback-type: abuse|scam mail",
    Category.GENERAL: r"brute[- ]?force|login attempts?|ssh|port ?scan|attack(?:s|ing|er)?|attaques?|ddos|dos|malware"
    r"|botnet|phishing|intrusion|exploit|vulnerab\w+|fail2ban|scan(?:ning|s)?",
}
_WORDS = {category: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for category, words in WORDS.items()}
_LABEL = re.compile(
    r"^[\s>*•-]{0,8}([A-Za-zÀ-ÿœ][A-Za-zÀ-ÿœ0-9 /'_.-]{0,40}?)\s*(?:\(([A-Z]{2,5})\)|)\s*[:=]\s*(\S.{0,2000})$"
)
_OTHERS = re.compile(
    r"\b(?:victim|target(?:ed)?|destination|dest|dst|c2|c&c|nameserver|received|cible|victime|our server)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"\bh(?:tt|xx)ps?(?:://|\[:\]//|\[://\])[^\s<>\"']{3,1500}", re.IGNORECASE)
_FRENCH = re.compile(r"\b(?:le|la|les|des|une|est|nous|vous|adresse|droits?|que|pour|avec|sur)\b", re.IGNORECASE)
_ENGLISH = re.compile(r"\b(?:the|of|and|is|are|we|you|your|address|that|for|with|this)\b", re.IGNORECASE)


class LabelledReader:
    name = "text"

    def read(self, letter: Letter) -> tuple[Sequence[ReportDraft], Sequence[str]]:
        """At most one draft, with all the sources found."""
        text = letter.text[:MAX_TEXT]
        values = _labels(text)
        named = [address for value, _ in values.get("source", []) for address in addresses_in(value, limit=5)]
        found = list(dict.fromkeys(named)) or _loose_sources(letter.subject, text)
        if not found:
            return [], []
        problems = [] if len(found) <= MAX_ITEMS else [f"only the first {MAX_ITEMS} addresses were taken"]
        category, clear = _category(letter.subject, text, values)
        happened = _happened(values, text)
        exact = happened is not None and happened.precision in {Precision.SECOND, Precision.MINUTE}
        ports = [int(value) for value, _ in values.get("port", []) if re.fullmatch(r"[1-9]\d{0,3}|[1-6]\d{4}", value)]
        url = next((refang(u) for value, _ in values.get("url", []) for u in _URL.findall(value)), "")
        if len(found) == 1:
            sources: tuple[Source, ...] = (Source(found[0], ports[0] if len(ports) == 1 else None, url),)
        else:
            sources = tuple(Source(address) for address in found[:MAX_ITEMS])
        draft = ReportDraft(
            category=category,
            sources=sources,
            happened=happened,
            confidence=Confidence.LIKELY if named and len(found) == 1 and exact and clear else Confidence.UNSURE,
            reporter_email=letter.sender,
            reporter_name=letter.sender_name,
            reporter_ref=_first(values, "reference")[:120],
            explanation=text.strip()[:10_000],
            work=_first(values, "work")[:500],
            right_holder=_first(values, "holder")[:200],
            language=language_of(text),
            evidence=tuple(_attachments(letter)),
        )
        return [draft], problems


def refang(url: str) -> str:
    """A link as it was before it was made harmless. Only ever kept and shown as text."""
    url = re.sub(r"^hxxp", "http", url, flags=re.IGNORECASE)
    return url.replace("[.]", ".").replace("[:]", ":").replace("[://]", "://").rstrip(".,;)]")[:2000]


def language_of(text: str) -> str:
    """ "fr" or "en" by the commonest words of the first 5,000 characters; "" when there are hardly any."""
    french, english = len(_FRENCH.findall(text[:5000])), len(_ENGLISH.findall(text[:5000]))
    if max(french, english) < 3:
        return ""
    return "fr" if french > english else "en"


def _labels(text: str) -> dict[str, list[tuple[str, str]]]:
    """Values by meaning, each with the zone its label named ("Date (UTC): ..."). A victim's address is no source."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines()[:5000]:
        match = _LABEL.match(line[:2100])
        if match is None:
            continue
        label, zone, value = match.group(1).strip().lower(), match.group(2) or "", match.group(3).strip()
        meaning = MEANING.get(label)
        if meaning:
            found.setdefault(meaning, []).append((value, zone))
    return found


def _loose_sources(subject: str, text: str) -> list[str]:
    """Addresses anywhere in subject and text, without the lines that speak of somebody else's."""
    lines = [subject, *(line[:2000] for line in text.splitlines()[:5000] if not _OTHERS.search(line[:2000]))]
    return addresses_in("\n".join(lines)[:MAX_TEXT], limit=MAX_ITEMS + 1)


def _category(subject: str, text: str, values: dict[str, list[tuple[str, str]]]) -> tuple[Category, bool]:
    """The category that the words speak for, and whether they speak for one only (a label decides alone)."""
    for value, _ in values.get("kind", []):
        named = [category for category, words in _WORDS.items() if words.search(value)]
        if len(named) == 1:
            return named[0], True
    hits = [category for category, words in _WORDS.items() if words.search(f"{subject}\n{text}"[:20_000])]
    if Category.COPYRIGHT in hits and Category.SPAM not in hits and Category.BLOCKLIST not in hits:
        return Category.COPYRIGHT, True
    return (hits[0] if hits and hits[0] != Category.COPYRIGHT else Category.GENERAL), len(hits) == 1


def _happened(values: dict[str, list[tuple[str, str]]], text: str) -> Span | None:
    labelled = [times.span_of(value[:200], zone_hint=zone) for value, zone in values.get("time", [])]
    spans = [span for span in labelled if span is not None] or times.spans_in(text[:50_000])
    return times.around(spans)


def _first(values: dict[str, list[tuple[str, str]]], meaning: str) -> str:
    return values[meaning][0][0].strip() if values.get(meaning) else ""


def _attachments(letter: Letter) -> Iterator[Evidence]:
    for part in letter.attachments[:MAX_EVIDENCE]:
        yield Evidence(
            description=part.filename,
            content_type=part.content_type,
            size=len(part.data),
            sha256=hashlib.sha256(part.data).hexdigest(),
            excerpt=part.text[:MAX_EXCERPT] if part.content_type.startswith("text/") else "",
        )
