"""Versions of the terms, read from `<operator>/<label>.toml`, and which one applies when (LEG-1, LEG-2, LEG-6)."""

import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from panel.core import calendars
from panel.core.money import Cents, round_cents
from panel.terms import numbers

ROOT = Path(__file__).parent
_PLACE = re.compile(r"\{(?P<rule>[A-Z]{3}-\d+|seller)\.(?P<key>\w+)\}")


SWITCHES = {"SRV-6": False, "INV-7": False, "SUB-8": False, "OPR-3": True}
"""The rules whose decision a version may leave to the clock, and what holds where it says nothing."""


@dataclass(frozen=True)
class Number:
    """A number of the terms and where it comes from."""

    value: Any
    rule: str
    key: str
    source: str
    version: str

    def __str__(self) -> str:
        return f"{self.rule} {self.key} = {self.value} ({self.source}, terms {self.version})"


@dataclass(frozen=True)
class Terms:
    """One version. `name` is what rows keep: `operator/label`."""

    name: str
    effective: date
    table: Mapping[str, Any]

    def number(self, rule: str, key: str) -> Number:
        """The number `key` of `rule` with its source; KeyError when the version has none."""
        entry = self.table[rule]
        return Number(entry[key], rule, key, entry["source"], self.name)

    def _value(self, rule: str, key: str) -> Any:
        return self.table[rule][key]

    def _hours(self, rule: str, key: str) -> timedelta:
        return timedelta(hours=self._value(rule, key))

    def _cents(self, rule: str, key: str) -> Cents:
        return round_cents(Decimal(self._value(rule, key)))

    def automatic(self, rule: str) -> bool:
        """Whether the clock may act where the text says "may"; else a person confirms. KeyError for a rule that has no
        switch: there a person always decides."""
        return bool({**SWITCHES, **self.table["automatic"]}[rule])

    @property
    def documents(self) -> Sequence[str]:
        return tuple(self.table["version"]["documents"])

    @property
    def order_documents(self) -> Sequence[str]:
        """What is accepted with an order (SUB-2)."""
        return tuple(self.table["version"]["order_documents"])

    @cached_property
    def copyright(self) -> numbers.CopyrightTerms:
        return numbers.CopyrightTerms(
            response=self._hours("ABU-2", "response_hours"),
            address_fee=self._cents("ABU-3", "fee"),
            suspend_after=self._hours("ABU-4", "suspend_hours"),
            terminate_after_days=self._value("ABU-5", "terminate_days"),
            termination_fee=self._cents("ABU-5", "fee"),
        )

    @cached_property
    def general(self) -> numbers.GeneralTerms:
        return numbers.GeneralTerms(self._value("ABU-6", "response_days"))

    @cached_property
    def blocklist(self) -> numbers.BlocklistTerms:
        return numbers.BlocklistTerms(self._cents("ABU-7", "fee"))

    @cached_property
    def answer(self) -> numbers.AnswerTerms:
        return numbers.AnswerTerms(self._hours("ABU-9", "minimum_left_hours"))

    @cached_property
    def brake(self) -> numbers.BrakeTerms:
        return numbers.BrakeTerms(
            limit=self._value("ABU-12", "restrictions"),
            window=self._hours("ABU-12", "window_hours"),
            gap=self._hours("ABU-12", "gap_hours"),
            notice=self._hours("ABU-12", "notice_hours"),
        )

    @cached_property
    def mail_filter(self) -> numbers.MailFilterTerms:
        return numbers.MailFilterTerms(tuple(self._value("ABU-14", "ports")))

    @cached_property
    def bandwidth(self) -> numbers.BandwidthTerms:
        return numbers.BandwidthTerms(
            unit_price=Decimal(self._value("SRV-5", "price_per_gb")),
            each_gb_begun=self._value("SRV-5", "each_gb_begun"),
            warn_at=tuple(self._value("SRV-5", "warn_percent")),
            unpaid_days=self._value("SRV-6", "unpaid_days"),
        )

    @cached_property
    def invoicing(self) -> numbers.InvoicingTerms:
        return numbers.InvoicingTerms(
            net_days=self._value("INV-14", "net_days"),
            remind_days=tuple(self._value("INV-14", "remind_days")),
            replace_means_days=self._value("INV-7", "replace_means_days"),
        )

    @cached_property
    def collection(self) -> numbers.CollectionTerms:
        return numbers.CollectionTerms(
            retry_days=tuple(self._value("INV-5", "retry_days")), repeated=self._value("INV-7", "repeated_refusals"),
            card_notice_days=self._value("INV-5", "card_notice_days"),
        )  # fmt: skip

    @property
    def debit(self) -> numbers.DebitTerms:
        notice_days = self._value("INV-5", "debit_notice_days")
        if "OPR-3" not in self.table:
            return numbers.DebitTerms(notice_days)
        return numbers.DebitTerms(
            notice_days, self._value("OPR-3", "notice_working_days"), self._cents("OPR-3", "rejection_fee"),
            self._value("OPR-3", "suspend"),
        )  # fmt: skip

    @cached_property
    def funds(self) -> numbers.FundsTerms:
        return numbers.FundsTerms(self._cents("INV-6", "smallest_top_up"), self._cents("INV-6", "largest_top_up"))

    @property
    def packs(self) -> numbers.PackTerms | None:
        """None: this version knows no packs."""
        if "OPR-9" not in self.table:
            return None
        return numbers.PackTerms(self._value("OPR-9", "months"), tuple(self._value("OPR-9", "notice_days")))

    @cached_property
    def late_payment(self) -> numbers.LatePaymentTerms:
        return numbers.LatePaymentTerms(
            Decimal(self._value("INV-8", "legal_rate_times")),
            self._cents("INV-8", "recovery_costs"),
            self._value("INV-8", "statement_days"),
            self._value("INV-9", "dispute_working_days"),
        )

    @cached_property
    def contests(self) -> numbers.ContestTerms:
        return numbers.ContestTerms(
            decide_working_days=self._value("TIC-6", "dispute_working_days"),
            waiver_working_days=self._value("INV-9", "dispute_working_days"),
            accepted_days=self._value("OPR-10", "accepted_days") if "OPR-10" in self.table else None,
        )

    @cached_property
    def vat(self) -> numbers.VatTerms:
        return numbers.VatTerms(
            home_country=self._value("INV-10", "home_country"),
            home_rate=Decimal(self._value("INV-10", "home_rate_percent")),
            oss_threshold=self._cents("INV-10", "oss_threshold"),
            recheck_days=self._value("INV-10", "recheck_days"),
            outage_days=self._value("INV-10", "outage_days"),
        )

    @cached_property
    def retention(self) -> numbers.RetentionTerms:
        return numbers.RetentionTerms(self._value("PRV-4", "accounting_years"), self._value("SRV-4", "readings_months"))

    @cached_property
    def review(self) -> numbers.ReviewTerms:
        table = self.table["SUB-4"]
        return numbers.ReviewTerms(
            holds=frozenset(key.removeprefix("hold_") for key in table if key.startswith("hold_") and table[key]),
            velocity_orders=table["velocity_orders"],
            velocity=self._hours("SUB-4", "velocity_hours"),
            answer=self._hours("SUB-4", "answer_hours"),
            remind=self._hours("SUB-4", "remind_hours"),
        )

    @cached_property
    def limits(self) -> numbers.LimitTerms:
        return numbers.LimitTerms(
            paid_invoices=self._value("SUB-4", "new_until_paid_invoices"),
            services=self._value("SUB-4", "new_services"),
            month=self._cents("SUB-4", "new_month"),
            warn_at=tuple(self._value("SUB-4", "cap_warn_percent")),
            closed_ports=tuple(self._value("SUB-4", "new_closed_ports")),
        )

    @property
    def transfer_days(self) -> int:
        """SUB-4: days for which a service offered to another account can be accepted."""
        return int(self._value("SUB-4", "transfer_days"))

    @property
    def trial_notice_days(self) -> int:
        """SUB-5: days before the first paid day on which the end of a free trial is announced."""
        return int(self._value("SUB-5", "trial_notice_days"))

    @cached_property
    def termination(self) -> numbers.TerminationTerms:
        return numbers.TerminationTerms(
            notice_days=self._value("SUB-6", "notice_days"),
            keep_code_percent=Decimal(self._value("SUB-7", "fee_percent")),
            migration=self._cents("SUB-7", "migration"),
            code_fee_for_consumers=self._value("SUB-7", "consumers"),
            balance_from_consumers=self._value("SUB-8", "consumers"),
            unpaid_days=self._value("SUB-8", "unpaid_days"),
            after_suspension_days=self._value("SUB-8", "terminate_days"),
        )

    @cached_property
    def recovery(self) -> numbers.RecoveryTerms:
        return numbers.RecoveryTerms(self._cents("SUB-14", "disaster_recovery"))

    @cached_property
    def backups(self) -> numbers.BackupTerms:
        return numbers.BackupTerms(
            levels={
                name: numbers.BackupLevel(
                    **self._value("SUB-14", name), space_percent=self._value("SRV-10", f"{name}_percent")
                )
                for name in ("level_1", "level_2", "level_3", "own")
            },
            own_every_hours=tuple(self._value("SUB-14", "own_every_hours")),
            own_most_days=self._value("SUB-14", "own_most_days"),
            failing_days=self._value("SUB-14", "failing_days"),
            after_end_days=self._value("SUB-14", "after_end_days"),
            snapshots=self._value("SRV-8", "snapshots"),
            exceeding_days=self._value("OPR-5", "exceeding_days") if "OPR-5" in self.table else None,
        )

    @cached_property
    def maintenance(self) -> numbers.MaintenanceTerms:
        return numbers.MaintenanceTerms(timedelta(hours=self._value("SUB-10", "notice_hours")))

    @cached_property
    def patches(self) -> numbers.PatchTerms:
        return numbers.PatchTerms(self._value("SRV-9", "patch_days"), self._value("SRV-9", "settle_days"))

    @cached_property
    def updates(self) -> numbers.UpdateTerms:
        return numbers.UpdateTerms(
            working_days=self._value("SUB-11", "update_working_days"),
            remind_working_days=tuple(self._value("SUB-11", "remind_working_days")),
            hourly=self._cents("SUB-11", "hourly"),
        )

    @cached_property
    def availability(self) -> numbers.AvailabilityTerms:
        return numbers.AvailabilityTerms(
            promised_percent=Decimal(self._value("SUB-15", "availability_percent")),
            credit_percent_per_hour=Decimal(self._value("SUB-15", "credit_percent_per_hour")),
            credit_cap_percent=Decimal(self._value("SUB-15", "credit_cap_percent")),
        )

    @cached_property
    def change(self) -> numbers.ChangeTerms:
        return numbers.ChangeTerms(self._value("LEG-2", "notice_days"), self._value("LEG-3", "notice_months"))

    def document_digest(self, document: str) -> str:
        """SHA-256 of what was accepted: the authentic text with this version's numbers in it."""
        digest = hashlib.sha256(f"{self.name}:{document}\n".encode())
        digest.update(self.text(document, self.table["version"]["authentic"]).encode())
        return digest.hexdigest()

    def text(self, document: str, language: str) -> str:
        """The document in Markdown, its numbers those of this version. KeyError for an unknown document."""
        if document not in self.documents:
            raise KeyError(document)
        folder = ROOT / self.name.partition("/")[0] / "texts"
        path = folder / f"{document}.{language[:2]}.md"
        if not path.exists():
            path = folder / f"{document}.{self.table['version']['authentic']}.md"
        return _PLACE.sub(self._filled, path.read_text())

    def _filled(self, place: "re.Match[str]") -> str:
        rule, key = place["rule"], place["key"]
        return str(settings.CLAUSE_SELLER[key] if rule == "seller" else self._value(rule, key))


def _overridden(table: dict[str, Any]) -> dict[str, Any]:
    """CLAUSE_TERMS_OVERRIDE="ABU-3.fee=91.00": another number, so that `make prove` can show that a story notices."""
    override = os.environ.get("CLAUSE_TERMS_OVERRIDE", "")
    for change in filter(None, override.split(";")):
        path, _, text = change.partition("=")
        rule, _, key = path.partition(".")
        old = table[rule][key]
        if isinstance(old, bool):
            table[rule][key] = text == "true"
        elif isinstance(old, list):
            table[rule][key] = [int(part) for part in text.split(",")]
        else:
            table[rule][key] = type(old)(text)
    return table


@cache
def versions(operator: str) -> tuple[Terms, ...]:
    """Every version of an operator, oldest first."""
    found = []
    for path in sorted((ROOT / operator).glob("*.toml")):
        table = _overridden(tomllib.loads(path.read_text()))
        name = f"{operator}/{table['version']['label']}"
        if idle := table["automatic"].keys() - SWITCHES:
            raise ValueError(f"{name}: nothing reads the switch of {', '.join(sorted(idle))}; a person decides there")
        found.append(Terms(name, date.fromisoformat(table["version"]["effective"]), table))
    return tuple(sorted(found, key=lambda terms: terms.effective))


def version(name: str) -> Terms:
    """The version a row keeps by name; `operator/label+quote` is that version with the numbers of a signed quote in it
    (LEG-6). KeyError when there is none."""
    base, _, agreed = name.partition("+")
    for terms in versions(base.partition("/")[0]):
        if terms.name == base:
            return with_special(terms, agreed) if agreed else terms
    raise KeyError(f"no terms version {name}")


Special = Mapping[str, Mapping[str, Any]]
_agreements: list[Callable[[str], Special]] = []


def special_numbers(read: Callable[[str], Special]) -> None:
    """Register who knows the numbers of a signed quote by its reference: rule, key, and value as the terms write it."""
    _agreements[:] = [read]


def with_special(terms: Terms, agreed: str) -> Terms:
    """`terms` with what the signed quote `agreed` says instead (LEG-6): its numbers are stronger than the version's."""
    table = dict(terms.table)
    for rule, changes in _agreements[0](agreed).items():
        table[rule] = {**table[rule], **changes, "source": f"LEG-6, {agreed}"}
    return Terms(f"{terms.name}+{agreed}", terms.effective, table)


def keeping_special(terms: Terms, kept: str) -> Terms:
    """`terms` for something that runs under `kept`: a later version replaces the earlier one, never a signed quote."""
    agreed = kept.partition("+")[2]
    return with_special(terms, agreed) if agreed else terms


def applicable(
    all_versions: Sequence[Terms], announced: Mapping[str, datetime], joined_at: datetime | None, at: datetime
) -> Terms:
    """Which version applies to an account at `at` (LEG-1, LEG-2). Pure.

    The newest one in force when the account joined; a later one from 24:00 Paris of the 15th day (its own number)
    after it was announced to this account, and never before its effective date. `joined_at` None: a visitor, to
    whom the newest version in force applies.
    """
    best = None
    for terms in all_versions:
        starts = calendars.start_of_paris_day(terms.effective)
        if joined_at is not None and starts > joined_at:
            told = announced.get(terms.name)
            if told is None:
                continue
            starts = max(starts, calendars.days_later(told, terms.change.notice_days))
        if starts <= at or best is None:
            best = terms
    if best is None:
        raise LookupError("this operator has no terms")
    return best


def current(now: datetime, announced: Mapping[str, datetime] | None = None, joined_at: datetime | None = None) -> Terms:
    """The terms that apply at `now` for an account with these facts, under this installation's operator."""
    return applicable(versions(settings.CLAUSE_OPERATOR), announced or {}, joined_at, now)


def order_of_precedence(terms: Terms, sources: Sequence[str]) -> list[str]:
    """`sources` (such as "quote", "terms-of-use"), strongest first (LEG-6); ValueError for an unknown one."""
    ranks = list(terms.table["version"]["precedence"])
    return sorted(sources, key=ranks.index)
