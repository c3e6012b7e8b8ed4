"""Every address of the panel answers every kind of person as the table of expectations says, under the strict
policy."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from invoicing.models import Entry
from servers.providers.simulated.control import Control
from tests.pages.expectations import COLUMNS, PAGES
from tests.support.machines import simulated_place
from tests.support.metered import (
    a_code,
    a_finding,
    a_group,
    a_pack,
    a_payout,
    a_run,
    a_transfer,
    an_interruption,
    overage,
)
from tests.support.personas import Scene, browsers, scene
from tickets import contests

pytestmark = pytest.mark.django_db
WITH_DRAWN_IMAGES = {"mfa_activate_totp"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    cache.clear()
    with simulated_place(tmp_path) as control:
        yield control


def names(resolver: URLResolver, space: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield f"{space}{entry.name}"
        elif isinstance(entry, URLResolver):
            yield from names(entry, f"{space}{entry.namespace}:" if entry.namespace else space)


# pages of the API without anything in their address
BARE = {
    "api:list_servers",
    "api:list_addresses",
    "api:list_orders",
    "api:list_invoices",
    "api:list_subscriptions",
    "api:list_cases",
    "api:place_order",
    "api:preview_order",
}


def numbered(made: Scene) -> dict[str, Any]:
    """The row that stands in the address of each of these pages."""
    return {
        "servers:key_delete": made.key.pk, "invoicing:means_default": made.means.pk,
        "invoicing:means_remove": made.means.pk, "invoicing_staff:suspension_decide": 1,
        "invoicing_staff:termination_decide": 1, "invoicing_staff:unmet_close": 1,
        "invoicing_staff:review_detail": made.review.pk, "invoicing_staff:review_decide": made.review.pk,
        "invoicing_staff:bank_receipt": made.bank_receipt.pk, "invoicing_staff:manual_payment": made.by_hand.pk,
        "tickets:attachment": made.attachment.pk, "accounts:session_end": 1, "accounts:token_revoke": made.token.pk,
        "accounts:contact_edit": made.contact.pk, "accounts:contact_remove": made.contact.pk,
        "accounts:mailbox_detail": made.mail.pk, "console:operation_detail": made.operation.pk,
        "console:operation_retry": made.operation.pk, "console:operation_discard": made.operation.pk,
        "console:mail_detail": made.mail.pk, "console:approval_vote": made.approval.pk,
        "abuse_staff:report_detail": made.report.pk, "abuse_staff:reporter_change": made.reporter.pk,
        "invoicing_staff:source_revoke": 1, "invoicing_staff:debit_detail": made.debit.pk,
        "invoicing_staff:debit_again": made.debit.pk,
        "invoicing_staff:rate_withdraw": 1, "invoicing_staff:e_report_detail": 1,
        "mfa_remove_webauthn": 1, "mfa_edit_webauthn": 1,
    }  # fmt: skip


def addresses(made: Scene) -> dict[str, str]:
    """An address of Alice's for each name."""
    numbers = numbered(made)
    words: dict[str, dict[str, Any]] = {
        "invoicing:order_new": {"package": "vps-s"}, "invoicing:order_price": {"package": "vps-s"},
        "invoicing_staff:catalogue_new": {"kind": "package"},
        "invoicing_staff:catalogue_item": {"kind": "package", "code": "vps-s"},
        "invoicing_staff:catalogue_price": {"kind": "package", "code": "vps-s"},
        "accounts:account_switch": {"reference": made.owner.account.reference},
        "accounts:legal_text": {"document": "terms-of-use", "label": "2026-01"},
        "console:customer_detail": {"reference": made.owner.account.reference},
        "invoicing_staff:down_payment_new": {"reference": made.owner.account.reference},
        "invoicing_staff:customer_standing": {"reference": made.owner.account.reference},
        **{name: {"reference": made.owner.account.reference} for name in PAGES if ":customer_vat" in name},
        "account_confirm_email": {"key": "MQ:none"}, "account_reset_password_from_key": {"uidb36": "1",
        "key": "set-password"},
        "abuse_staff:case_decide": {"reference": made.case.reference, "verb": "accept"},
        "tickets_staff:vouch": {"number": made.ticket.number, "pk": 1, "verb": "vouch"},
        "api:nothing_here": {"rest": "what"},
        "servers_hooks:cloud": {"place": "sim-1"}, "api:get_quote_pdf": {"reference": made.quote.reference},
    }  # fmt: skip
    for name in ("detail", "pdf", "sign", "end"):
        words[f"invoicing:mandate_{name}"] = {"reference": made.mandate.reference}
    for name in ("invoicing_staff:mandate_detail", "invoicing_staff:mandate_pdf", "api:get_mandate"):
        words[name] = {"reference": made.mandate.reference}
    for name in ("detail", "file", "send", "discard"):
        assert made.debit.batch is not None
        words[f"invoicing_staff:debit_batch_{name}"] = {"reference": made.debit.batch.reference}
    line, stage = made.quote.lines.exclude(interval="").get(), made.quote.stages.get()
    for name, pk in (
        ("invoicing:quote_order", line.pk),
        ("invoicing_staff:quote_line_remove", line.pk),
        ("invoicing_staff:quote_stage", stage.pk),
    ):
        words[name] = {"reference": made.quote.reference, "pk": pk}
    for name in ("quote_new", "draft_new", "payment_new", "paid_back", "statement"):
        words[f"invoicing_staff:{name}"] = {"account": made.owner.account.reference}
    words["invoicing_staff:ledger_account"] = {"code": "411000"}
    words["invoicing_staff:ledger_entry"] = {"pk": Entry.objects.order_by("pk")[0].pk}
    words["invoicing_staff:draft_line_remove"] = {"pk": made.draft.pk, "line": made.draft.lines.get().pk}
    for name in ("draft_detail", "draft_pdf", "draft_line_add", "draft_issue", "draft_discard"):
        words[f"invoicing_staff:{name}"] = {"pk": made.draft.pk}
    for room, thing in (
        ("server", made.server),
        ("quote", made.quote),
        ("order", made.order),
        ("subscription", made.subscription),
        ("case", made.case),
        ("payment", made.payment),
        ("top_up", made.top_up),
        ("transfer", a_transfer(made)),
    ):
        named = {name for name in PAGES if f":{room}_" in f"{name}_" and name not in words}
        words |= {name: {"reference": thing.reference} for name in named}
        told = {name for name in PAGES if name.startswith("api:") and name.endswith(f"_{room}")}
        words |= {name: {"reference": thing.reference} for name in told}
    for room, thing in (("ticket", made.ticket), ("invoice", made.invoice)):
        words |= {name: {"number": thing.number} for name in PAGES if f":{room}_" in name}
        words |= {name: {"number": thing.number} for name in PAGES if name.startswith("api:") and f"_{room}" in name}
    words |= of_usage(made) | of_a_dispute(made)
    words |= of_servers(made)
    return _reversed(numbers, words)


def _reversed(numbers: dict[str, Any], words: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Each name with what its address takes: a number, words, or nothing."""
    found = {}
    for name in PAGES:
        if name in numbers:
            found[name] = reverse(name, kwargs={"pk": numbers[name]})
        elif name in words and name not in BARE and not name.endswith("_list") and name != "tickets:ticket_new":
            found[name] = reverse(name, kwargs=words[name])
        else:
            found[name] = reverse(name)
    return found


def of_usage(made: Scene) -> dict[str, dict[str, Any]]:
    """A metered line, a source of usage, a billing run."""
    line = overage(made)
    pack = a_pack(made)
    place = {"number": line.invoice.number, "position": line.position}
    return {
        "invoicing:invoice_line": place, "invoicing_staff:invoice_line": place,
        "invoicing_staff:promotion_detail": {"code": a_code(made).code},
        "invoicing_staff:promotion_off": {"code": "SCENE"},
        "invoicing_staff:group_detail": {"code": a_group(made).code},
        "invoicing_staff:group_add": {"code": "scene", "kind": "member"},
        "invoicing_staff:group_leave": {"code": "scene", "pk": 1},
        "invoicing_staff:group_price_end": {"code": "scene", "pk": 1},
        "invoicing:pack_order": {"package": pack.package.code}, "api:get_pack": {"reference": pack.reference},
        "invoicing_staff:source_revoke": {"pk": 1}, "invoicing_staff:run_detail": {"pk": a_run(made).pk},
        "invoicing_staff:payout_detail": {"ref": a_payout(made).provider_ref},
    }  # fmt: skip


def of_servers(made: Scene) -> dict[str, dict[str, Any]]:
    """A server as staff sees it, its limit, announced maintenance."""
    server, announced = {"reference": made.server.reference}, {"reference": an_interruption(made).reference}
    staffs = ("servers:firewall_ask",
              "servers:staff_server_detail", "servers:staff_server_manage", "servers:staff_server_limit",
              "servers:staff_server_network", "servers:staff_server_terminal",
              "servers:staff_server_backups", "api:get_server_backups",
              "api:plan_server_backups", "api:list_server_copies", "api:take_server_snapshot",
              "api:get_server_firewall", "api:set_server_firewall", "api:get_server_vitals", "api:get_server_traffic",
              "api:get_server_terminal", "api:permit_server_terminal",
              "api:list_server_firewall_requests", "api:ask_server_firewall",
              "api:try_server_port", "api:list_server_names",
              "servers:staff_server_managed", "servers:staff_server_managed_report", "api:get_server_managed",
              "api:choose_server_managed", "api:list_server_managed_runs", "api:run_server_managed",
              "api:list_server_updates", "api:list_server_mailboxes", "api:set_server_mailbox",
              "api:list_required_updates",
              "api:list_server_port_tests")  # fmt: skip
    return {
        **dict.fromkeys((*staffs, "api:list_server_actions"), server),
        **{
            key: {"number": made.ticket.number}
            for key in (
                "servers:limit_answer",
                "servers:limit_decide",
                "servers:firewall_request_withdraw",
                "servers:firewall_request_decide",
            )
        },
        **dict.fromkeys(("servers:interruption", "servers:staff_interruption_detail"), announced),
        "api:withdraw_server_firewall": {**server, "number": made.ticket.number},
        "api:set_server_name": {**server, "address": "203.0.113.1"},
        **{f"api:{name}": {"address": "203.0.113.1"} for name in ("move_address", "give_address_back")},
        **{
            key: {**server, "copy_reference": "CPY-22222222"}
            for key in ("api:delete_server_copy", "api:restore_server_copy")
        },
        "servers:staff_reading_decide": {"pk": 1},
        "api:remove_server_mailbox": {**server, "address": "alice@shop.example"},
        "api:answer_required_update": {**server, "update": "UPD-22222222"},
        "servers:staff_finding": {"pk": a_finding(made).pk},
        "servers:staff_interruption_deed": {**announced, "name": "note"},
    }


def of_a_dispute(made: Scene) -> dict[str, dict[str, Any]]:
    """An invoice that is disputed, and a request that could become a dispute."""
    contest = contests.open_contest(
        made.invoice, None, why="No.", actor=made.owner.actor, via="web", now=made.world.now
    )
    disputed = {"number": contest.reference}
    return {
        "tickets:contest_new": {"number": made.invoice.number}, "tickets:contest_withdraw": disputed,
        "tickets_staff:contest_decide": disputed, "tickets_staff:contest_make": {"number": made.ticket.number},
    }  # fmt: skip


def test_every_address_has_an_expectation() -> None:
    known, asked = set(names(get_resolver())), set(PAGES)
    assert known - asked == set(), "an address without a row in tests/pages/expectations.py"
    assert asked - known == set(), "a row without an address"
    assert all(len(row.split()) == len(COLUMNS) for row in PAGES.values())


def test_every_address_answers_every_person_as_expected(cloud: Control) -> None:
    """The code of the table, and the policy: no other host, nothing inline; drawn images on two pages alone."""
    made = scene()
    paths, people = addresses(made), browsers(made)
    wrong, loose, whole = [], [], []
    for name, row in PAGES.items():
        for who, expected in zip(COLUMNS, row.split(), strict=True):
            response = people[who].get(paths[name])
            if str(response.status_code) != expected:
                wrong.append(f"{name} {paths[name]} for {who}: {response.status_code}, not {expected}")
            if not strict(response.get("Content-Security-Policy", ""), images=name in WITH_DRAWN_IMAGES):
                loose.append(f"{name} for {who}")
            if who in ("owner", "staff") and response.status_code == 200:
                whole += [f"{name} for {who}: {bad}" for bad in not_their_part(people[who], response)]
    assert wrong == []
    assert whole == [], "a live part that fetches something else than itself"
    assert loose == [], "without the content security policy, or with a loose one"


LIVE = re.compile(r'<\w+(?: [^>]*)? id="([^"]+)"[^>]* data-live="[^"]*" data-live-url="([^"]+)"')


def not_their_part(browser: Any, response: Any) -> list[str]:
    """The live parts of a page that do not get themselves anew from their address, nothing around them."""
    if response.streaming or not response["Content-Type"].startswith("text/html"):
        return []
    page = response.content.decode()
    parts = LIVE.findall(page)
    wrong = [] if len(parts) == page.count(" data-live-url=") else ["a live part has no id, by which it is exchanged"]
    for part, url in parts:
        again = browser.get(unescape(url))
        text = again.content.decode()
        if again.status_code != 200 or "<html" in text or f'id="{part}"' not in text:
            wrong.append(f"{part} from {url}")
    return wrong


def strict(policy: str, *, images: bool) -> bool:
    allowed = "data:" not in policy or images
    return "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy and allowed


REFUSED = {401, 403, 404, 405}
# Addresses that name no object of Alice's, or whose POST is about the person who sends it.
OWN = {
    "accounts:contact_add", "accounts:loss_report", "accounts:legal_text", "api:nothing_here", "invoicing:means_add",
    "invoicing:order_new", "invoicing:order_price", "invoicing:pack_order", "preferences",
}  # fmt: skip


def test_nobody_touches_what_is_anothers_by_its_id(cloud: Control) -> None:
    """Mallory, logged in to an account of her own, posts to every address of an object of Alice's; so does a contact
    who may only look. Everything is refused: no such thing (404), not for you (403), nothing to post (405); and nothing
    has changed."""
    made = scene()
    paths, people = addresses(made), browsers(made)
    people["owner"].get("/")
    hers = UserSession.objects.get(user=made.owner.user)
    paths["accounts:session_end"] = reverse("accounts:session_end", args=[hers.pk])
    before = things(made)
    wrong = []
    for name, path in paths.items():
        if (
            name in OWN
            or path == reverse_or_none(name)
            or name.startswith(("account_", "mfa_", "invoicing_hooks", "servers_hooks"))
        ):
            continue
        for who in ("stranger", "limited"):
            status = (
                people[who].post(path, {"word": "yes", "reason": "mine", "verb": "stop", "body": "mine"}).status_code
            )
            theirs = who == "limited" and name == "accounts:account_switch"
            offered = who == "stranger" and name == "invoicing:transfer_answer"  # to them: they have not ticked the box
            if status not in ({302} if theirs else {422} if offered else REFUSED):
                wrong.append(f"{name} {path} by {who}: {status}")
    assert wrong == []
    assert things(made) == before
    assert UserSession.objects.filter(pk=hers.pk).exists()


def reverse_or_none(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def things(made: Scene) -> list[Any]:
    """The state of everything that is Alice's."""
    for row in (made.server, made.order, made.subscription, made.invoice, made.ticket, made.case, made.token,
                made.contact,
                made.means, made.key, made.operation, made.approval, made.report, made.quote, made.draft, made.mandate,
                made.debit):  # fmt: skip
        row.refresh_from_db()
    return [
        made.server.state, made.order.state, made.subscription.state, made.invoice.state, made.ticket.state,
        made.case.state,
        made.token.revoked_at, made.contact.permissions, made.means.removed_at, made.key.removed_at,
        made.operation.state,
        made.approval.state, made.report.state, made.ticket.messages.count(), made.server.actions.count(),
        made.mandate.state, made.debit.state,
        made.quote.state, made.quote.lines.count(), made.draft.invoice_id, made.draft.lines.count(),
    ]  # fmt: skip
