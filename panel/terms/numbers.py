"""Typed views on the numbers of a terms version: a rule asks for these and for nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from panel.core.money import Cents


@dataclass(frozen=True)
class CopyrightTerms:
    """ABU-2..ABU-5."""

    response: timedelta
    address_fee: Cents
    suspend_after: timedelta
    terminate_after_days: int
    termination_fee: Cents


@dataclass(frozen=True)
class GeneralTerms:
    """ABU-6."""

    response_days: int


@dataclass(frozen=True)
class BlocklistTerms:
    """ABU-7."""

    fee: Cents


@dataclass(frozen=True)
class AnswerTerms:
    """ABU-9."""

    minimum_left: timedelta


@dataclass(frozen=True)
class BrakeTerms:
    """ABU-12."""

    limit: int
    window: timedelta
    gap: timedelta
    notice: timedelta


@dataclass(frozen=True)
class MailFilterTerms:
    """ABU-14: the TCP ports by which mail leaves."""

    ports: tuple[int, ...]


@dataclass(frozen=True)
class BandwidthTerms:
    """SRV-5, SRV-6: EUR per GB of 10^9 bytes."""

    unit_price: Decimal
    each_gb_begun: bool
    warn_at: tuple[int, ...]
    unpaid_days: int


@dataclass(frozen=True)
class InvoicingTerms:
    """INV-7, INV-14. `remind_days`: days after the due date on which a reminder is sent."""

    net_days: int
    remind_days: tuple[int, ...]
    replace_means_days: int


@dataclass(frozen=True)
class CollectionTerms:
    """INV-5, INV-7: days after each refusal until the same means is tried again; which refusal is a repeated one; days
    before a card ends that this is told."""

    retry_days: tuple[int, ...]
    repeated: int
    card_notice_days: int


@dataclass(frozen=True)
class DebitTerms:
    """INV-5: days between the pre-notification of a SEPA debit and the debit. OPR-3, where the version has it: clear
    working days instead, the charge for a rejected payment, and whether the account is suspended until it is paid."""

    notice_days: int
    notice_working_days: int | None = None
    rejection_fee: Cents | None = None
    suspends: bool = False


@dataclass(frozen=True)
class FundsTerms:
    """INV-6: the least and the most that is added to funds at once."""

    smallest: Cents
    largest: Cents


@dataclass(frozen=True)
class PackTerms:
    """OPR-9: months after the last use at whose end a prepaid pack expires; days before that on which it is told."""

    months: int
    notice_days: tuple[int, ...]


@dataclass(frozen=True)
class LatePaymentTerms:
    """INV-8: times the legal rate, plus fixed recovery costs; businesses only. While unpaid, a statement is made every
    `statement_days`. INV-9: it can be contested within `contest_working_days`."""

    legal_rate_times: Decimal
    recovery_costs: Cents
    statement_days: int
    contest_working_days: int


@dataclass(frozen=True)
class ContestTerms:
    """TIC-6: working days within which staff decides on a contested document. INV-9: working days within which the
    waiver of a late fee can be asked for. OPR-10: days after which an invoice is deemed accepted; None: never."""

    decide_working_days: int
    waiver_working_days: int
    accepted_days: int | None


@dataclass(frozen=True)
class VatTerms:
    """INV-10: the seller's country and its rate in percent; what consumers of other member states may buy in a year
    (net) before their own rates apply. A VAT number is asked for again when its proof is `recheck_days` old; while the
    register does not answer, the last yes holds `outage_days` longer."""

    home_country: str
    home_rate: Decimal
    oss_threshold: Cents
    recheck_days: int
    outage_days: int


@dataclass(frozen=True)
class RetentionTerms:
    """PRV-4: years after the end of the accounting year for which the books are kept. SRV-4: months for which raw
    readings of traffic are kept beside the hours that they make."""

    accounting_years: int
    readings_months: int


@dataclass(frozen=True)
class ReviewTerms:
    """SUB-4: the signs that hold an order until a person has looked; how many orders in `velocity` are one of them;
    within which time the customer is answered, and how long before its end staff is reminded."""

    holds: frozenset[str]
    velocity_orders: int
    velocity: timedelta
    answer: timedelta
    remind: timedelta


@dataclass(frozen=True)
class LimitTerms:
    """SUB-4: until it has paid `paid_invoices`, an account may have `services` (running or ordered) and spend `month`
    (net) in a calendar month, and no mail leaves its servers by `closed_ports` (TCP). A customer's own cap is warned of
    at `warn_at` percent."""

    paid_invoices: int
    services: int
    month: Cents
    warn_at: tuple[int, ...]
    closed_ports: tuple[int, ...]


@dataclass(frozen=True)
class TerminationTerms:
    """SUB-6: days of notice for an end at the term (OPR-8). SUB-7: percent of one period's price, and the migration
    service; whether consumers owe them. SUB-8: whether they owe the balance when the provider terminates; days after
    its due date on which an unpaid invoice may lead to suspension, and days after that on which it may lead to the
    end."""

    notice_days: int
    keep_code_percent: Decimal
    migration: Cents
    code_fee_for_consumers: bool
    balance_from_consumers: bool
    unpaid_days: int
    after_suspension_days: int


@dataclass(frozen=True)
class RecoveryTerms:
    """SUB-14: disaster recovery, a month."""

    monthly: Cents


@dataclass(frozen=True)
class BackupLevel:
    """SUB-14: hours between two backups, days for which one is kept. SRV-10: what all of them may take up, in percent
    of the disk."""

    every_hours: int
    keep_days: int
    space_percent: int


@dataclass(frozen=True)
class BackupTerms:
    """SUB-14: the levels by name; what may be chosen in the personalised one; days of failing after which the customer
    is told; days for which copies stay after what they belong to has ended. SRV-8: snapshots of one server. OPR-5:
    days after the notice on which what exceeds the space may be deleted; None: never."""

    levels: Mapping[str, BackupLevel]
    own_every_hours: tuple[int, ...]
    own_most_days: int
    failing_days: int
    after_end_days: int
    snapshots: int
    exceeding_days: int | None


@dataclass(frozen=True)
class MaintenanceTerms:
    """SUB-10: how long before it begins planned maintenance is announced by mail."""

    notice: timedelta


@dataclass(frozen=True)
class PatchTerms:
    """SRV-9: days within which a managed server has an update from its release on; of them, days that an update which
    is not about security waits before it is installed."""

    within_days: int
    install_after_days: int


@dataclass(frozen=True)
class UpdateTerms:
    """SUB-11: working days that the customer has for a required update from its e-mail on, working days left at which
    they are reminded, and what an hour of our work costs."""

    working_days: int
    remind_working_days: tuple[int, ...]
    hourly: Cents


@dataclass(frozen=True)
class AvailabilityTerms:
    """SUB-15: the availability promised for a calendar month, in percent; the credit for each hour begun beyond what
    that allows, and at most, in percent of the month's price."""

    promised_percent: Decimal
    credit_percent_per_hour: Decimal
    credit_cap_percent: Decimal


@dataclass(frozen=True)
class ChangeTerms:
    """LEG-2, LEG-3."""

    notice_days: int
    price_notice_months: int
