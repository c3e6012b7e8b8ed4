"""Which page is visited by whom: every address that the table of expectations lets a persona open, and is a page."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from django.urls import NoReverseMatch, reverse

from tests.pages.expectations import COLUMNS, PAGES

COLUMN = {"anonymous": "anonymous", "owner": "owner", "limited": "limited", "staff": "administrator"}
# Answers that are no page of their own, and why.
NO_PAGE = {
    "invoicing:order_price": "a part of the order form", "invoicing:order_status": "a part of the order page",
    "invoicing:subscription_change_price": "a part of the form",
    "invoicing:subscription_end_price": "a part of the form",
    "invoicing:invoice_pdf": "a PDF", "invoicing:order_pro_forma": "a PDF", "invoicing_staff:invoice_pdf": "a PDF",
    "invoicing:invoice_cii": "XML", "invoicing:invoice_ubl": "XML", "invoicing_staff:invoice_cii": "XML",
    "invoicing_staff:invoice_ubl": "XML",
    "invoicing:quote_pdf": "a PDF", "invoicing_staff:quote_pdf": "a PDF",
    "invoicing_staff:draft_pdf": "a PDF", "invoicing:mandate_pdf": "a PDF",
    "invoicing_staff:mandate_pdf": "a PDF",
    "invoicing_staff:debit_batch_file": "XML",
    "tickets:attachment": "a file", "mfa_download_recovery_codes": "a file", "api:openapi-json": "JSON",
    "servers:server_managed_report": "a table file", "servers:staff_server_managed_report": "a table file",
    "palette": "a part of every page", "servers:status_feed": "Atom",
    "servers:server_traffic_file": "a file",
}  # fmt: skip
# The table asks just after log-in by cookie alone; who has typed the password a moment ago gets in here.
AFTER_PASSWORD = {
    "mfa_activate_totp": ("owner", "limited"), "mfa_add_webauthn": ("owner", "staff"),
    "mfa_generate_recovery_codes": ("staff",), "mfa_view_recovery_codes": ("staff",), "mfa_deactivate_totp": ("staff",),
}  # fmt: skip
# Pairwise: every two of theme, language and width meet.
LOOKS = (
    ("light", "en", 1440), ("dark", "fr", 390), ("light", "fr", 768),
    ("dark", "en", 768), ("light", "en", 390), ("dark", "fr", 1440),
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """One page, how it is looked at first, and what it must answer."""

    name: str
    path: str
    theme: str
    language: str
    width: int
    status: int = 200


def visits(who: str, things: dict[str, Any]) -> list[Visit]:
    """Every page of a kind of persona. A new address without words in `address` fails here."""
    start = list(COLUMN).index(who)
    looks = cycle([*LOOKS[start:], *LOOKS[:start]])
    return [Visit(name, path, *next(looks), status) for name, path, status in _pages(who, things)]


def _pages(who: str, things: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    column = COLUMNS.index(COLUMN[who])
    for name, row in PAGES.items():
        reachable = row.split()[column] == "200" or who in AFTER_PASSWORD.get(name, ())
        if reachable and name not in NO_PAGE:
            yield from ((name, path, 200) for path in addresses(name, things))
    yield "nothing here", "/nowhere/", 404
    if who in ("limited", "staff"):
        yield "not for you", reverse("accounts:contact_list"), 403


def addresses(name: str, things: dict[str, Any]) -> list[str]:
    """Where `name` is in the demo world; where its faces differ, several."""
    known: dict[str, list[Any]] = {
        "invoicing_staff:catalogue_new": ["package"], "invoicing_staff:catalogue_item": ["package", "vps-m"],
        "invoicing_staff:promotion_detail": ["WINTER20"], "invoicing_staff:group_detail": ["agencies"],
        "invoicing:order_new": ["vps-m"], "invoicing:pack_order": ["mails-3000"],
        "accounts:legal_text": ["terms-of-use", "2026-01"],
        "accounts:contact_edit": [things["contact"]], "accounts:mailbox_detail": [things["mail"]],
        "invoicing_staff:quote_new": [things["account"]], "invoicing_staff:draft_new": [things["account"]],
        "invoicing_staff:payment_new": [things["account"]], "invoicing_staff:paid_back": [things["account"]],
        "invoicing_staff:statement": [things["account"]],
        "invoicing_staff:ledger_account": ["411000"], "invoicing_staff:ledger_entry": [things["entry"]],
        "invoicing:quote_order": [things["quote"], things["quote_line"]],
        "console:operation_detail": [things["operation"]], "console:mail_detail": [things["mail"]],
        "invoicing:top_up": [things["top_up"]],
        "console:customer_detail": [things["account"]], "invoicing_staff:customer_vat": [things["account"]],
        "invoicing_staff:customer_standing": [things["account"]],
        "invoicing_staff:e_report_detail": [things["e_report"]],
        "invoicing_staff:customer_vat_change": [things["account"]], "abuse_staff:report_detail": [things["report"]],
        "account_confirm_email": ["MQ:none"], "account_reset_password_from_key": ["1", "set-password"],
        "tickets:contest_new": [things["invoice"]], "tickets_staff:contest_decide": [things["contest"]],
        "tickets_staff:contest_make": [things["ticket"]],
        "invoicing_staff:manual_payment": [things["manual_payment"]],
        "invoicing_staff:bank_receipt": [things["bank_receipt"]], "invoicing:mandate_detail": [things["mandate"]],
        "invoicing_staff:debit_detail": [things["debit"]],
        "invoicing_staff:debit_batch_detail": [things["debit_batch"]],
        "invoicing_staff:down_payment_new": [things["account"]],
    }  # fmt: skip
    if name.endswith(":invoice_line"):
        return [reverse(name, args=[things["metered_invoice"], things["metered_line"]])] if "staff" in name else []
    known["servers:firewall_ask"] = [things["server"]]
    if name in known:
        return [reverse(name, args=known[name])]
    with contextlib.suppress(NoReverseMatch):
        return [reverse(name), *(reverse(name) + query for query in FACES.get(name, ()))]
    thing = name.partition(":")[2].removeprefix("staff_").partition("_")[0]
    return [reverse(name, args=[things[thing]])]


FACES = {
    "servers:server_list": ("?q=nothing-like-this",), "invoicing_staff:mandate_list": ("?q=nothing-like-this",),
    "servers:staff_server_list": ("?q=nothing-like-this",), "servers:staff_pool_list": ("?q=198.51.100.7",),
    "tickets:ticket_list": ("?show=closed",),
}  # fmt: skip
