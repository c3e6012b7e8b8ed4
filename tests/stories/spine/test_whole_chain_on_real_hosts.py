"""From the order to the reversal over real parts: the bank over HTTP, hosts of this machine, SSH, packets, mails, PDF.

Carries SUB-3 and INV-12 (paid, told by the bank, activated once), SRV-1 to SRV-5 (made, entered, metered), ABU-1 to
ABU-3 (reported, 48 hours, the address), ABU-9 to ABU-11 (in time, undone, once), INV-1 to INV-3, INV-10, INV-11.
"""

import socket
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from abuse import decisions
from abuse.models import Case, Statement
from invoicing.accounting import ledger
from invoicing.models import Invoice, Order, Payment, WebhookEvent
from panel.accounts.models import Restriction
from panel.core import files, operations
from panel.core.errors import ProviderError
from servers import keys, remote
from servers.models import Server, TrafficMonth
from servers.providers import Node
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote, Target
from tests.support import hosts, pdf, wire
from tests.support.crowd import at_once
from tests.support.desk import Desk, blocked, fees, steps
from tests.support.machines import first_ip
from tests.support.till import Till
from tests.support.wire import eventually, heard, overheard
from tests.support.world import Customer, World
from tickets import return_address
from tickets.models import Ticket

pytestmark = [pytest.mark.local, pytest.mark.paper, pytest.mark.django_db(transaction=True)]
ESCALATE, METER = "abuse.escalate", "servers.meter"


@dataclass
class Home:
    """A customer's host: what the panel knows of it, and how its owner gets in."""

    customer: Customer
    secret: hosts.Customer
    server: Server
    node: Node

    @property
    def ip(self) -> str:
        return first_ip(self.server)

    def log_in(self, patience: float = 10) -> Remote:
        """With the customer's own key, and only if the host shows the key that the panel has written down."""
        return remote.connect(
            Target(self.ip, host_key=self.server.host_key, private_key=self.secret.private), timeout=patience
        )


def paid(till: Till, order: Order, customer: Customer) -> Payment:
    """The customer types their card; the bank's own message comes in at the panel's door, and is acted upon."""
    payment = till.start(order, customer)
    told = WebhookEvent.objects.filter(kind="checkout.session.completed", via="webhook")
    before = told.count()
    till.pay(payment)
    assert eventually(lambda: told.count() > before), "the bank's message"
    till.world.work()
    assert told.filter(payment=payment).exists()
    payment.refresh_from_db()
    return payment


def home_of(world: World, till: Till, cloud: LocalProvider, name: str) -> Home:
    """Ordered, paid, made."""
    customer, secret = world.customer(name), hosts.Customer()
    key = keys.add(customer.account, name="laptop", public_key=secret.public, actor=customer.actor, now=world.now)
    order = till.shop.order(customer, name=f"{name.lower()}-1", place="local-1", keys=[key.pk])
    assert Server.objects.filter(account=customer.account).count() == 0
    assert paid(till, order, customer).state == "succeeded"
    world.advance(seconds=5)
    assert world.failed_operations() == []
    server = Server.objects.get(account=customer.account)
    node = cloud.find(server.token)
    assert node is not None
    assert (server.state, server.provider_ref, server.host_key) == ("running", node.ref, cloud.host_key(node.ref))
    return Home(customer, secret, server, node)


def reported(desk: Desk, home: Home) -> Case:
    """A trusted reporter's mail reaches the mailbox's pipe, at the address that only they know; the notice goes out."""
    world = desk.world
    answer = desk.pipe(desk.xarf(home.ip), desk.secret)
    (report,) = answer["reports"]
    assert report["state"] == "joined", report
    case = Case.objects.get(reference=report["case"])
    assert (case.account, case.server, case.t0) == (home.customer.account, home.server, None)
    world.advance(seconds=40)
    case.refresh_from_db()
    assert case.t0 == world.now, "T0 is when the mail server took the notice"
    (notice,) = [letter for letter in mail.outbox if case.reference in letter.subject]
    assert notice.to == [home.customer.user.email]
    return case


def test_from_the_order_to_the_reversal(world: World, till: Till, cloud: LocalProvider, desk: Desk) -> None:
    alice, bob = (home_of(world, till, cloud, name) for name in ("Alice", "Bob"))
    (first,) = till.shop.invoices(alice.customer)
    assert (first.state, first.total_cents, till.booked()) == ("paid", 708, 1416)
    metered_to_a_thousandth(world, alice)
    with bob.log_in() as neighbour:
        hosts.background(neighbour, wire.BEAT, alice.ip)
        with alice.log_in() as inside:
            assert inside.run(["hostname"]).output == "alice-1\n"
            hosts.background(inside, wire.BEAT, bob.ip)
            assert eventually(lambda: heard(neighbour, alice.ip) > 5 and heard(inside, bob.ip) > 5)
        with pytest.raises(ProviderError, match="refuses our key"):
            Home(bob.customer, bob.secret, alice.server, alice.node).log_in()

        case = reported(desk, alice)
        assert case.t0 is not None
        world.until(case.t0 + timedelta(hours=48), sweeps=[ESCALATE])
        assert (steps(case), blocked(alice.server), till.shop.invoices(alice.customer)) == ([], set(), [first])
        assert passes(alice, neighbour)

        cut_off_once(world, desk, case, alice)
        assert cloud.blocked(bob.node.ref) == set()
        assert silent(cloud, alice, neighbour)
        fee = charged_and_told(world, case, alice)

        decisions.reverse(case.pk, actor=desk.staff, reason="The right holder withdrew the report.", now=world.now)
        world.work()
        assert passes(alice, neighbour)
    given_back(world, case, alice, fee)
    assert till.booked() == 1416
    assert world.failed_operations() == []


def metered_to_a_thousandth(world: World, home: Home) -> None:
    """SRV-4: what is counted is what went over the cable, headers included: 42 bytes with each datagram."""
    with home.log_in() as inside:
        wire.listen(inside)
    time.sleep(0.3)  # the last packets of the log-in
    world.advance(minutes=5, sweeps=[METER])
    (before,) = TrafficMonth.objects.filter(server=home.server)
    sent = wire.bulk(home.ip, datagrams=10_000, payload=1000)
    assert sent == 10_000 * (1000 + 42)
    world.advance(minutes=5, sweeps=[METER])
    (after,) = TrafficMonth.objects.filter(server=home.server)
    assert abs(after.total - before.total - sent) <= sent / 1000
    assert after.rx_bytes - before.rx_bytes >= sent, "into the host is the customer's incoming traffic"


def passes(home: Home, neighbour: Remote) -> bool:
    """Packets go in and out: the owner gets in, and both hosts hear each other's beats anew."""
    with home.log_in() as inside:
        there, here = heard(neighbour, home.ip), heard(inside, _address_of(neighbour))
        return eventually(
            lambda: heard(neighbour, home.ip) > there + 5 and heard(inside, _address_of(neighbour)) > here + 5
        )


def silent(cloud: LocalProvider, home: Home, neighbour: Remote) -> bool:
    """No packet goes in or out, though the host lives and both keep sending."""
    time.sleep(0.1)
    before = heard(neighbour, home.ip), overheard(cloud, home.node)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, pytest.raises(PermissionError):
        line.sendto(b"beat", (home.ip, wire.BEATS))
    with pytest.raises(ProviderError) as cut:
        home.log_in(patience=1)
    assert cut.value.code == "unreachable"
    return (heard(neighbour, home.ip), overheard(cloud, home.node)) == before


def _address_of(inside: Remote) -> str:
    return inside.run(["hostname", "-I"]).output.split()[0]


def cut_off_once(world: World, desk: Desk, case: Case, home: Home) -> None:
    """ABU-3, ABU-11: a second past 48 hours, however many sweeps and workers see it at once and again."""
    world.now += timedelta(seconds=1)

    def sweep() -> None:
        world.sweep(ESCALATE)
        operations.run_due(world.now)

    at_once(sweep)
    world.work()
    world.sweep(ESCALATE)
    world.advance(seconds=60, sweeps=[ESCALATE])
    assert steps(case) == [("deactivate", "effective")]
    assert fees(case) == [("ABU-3", 9000)]
    assert blocked(home.server) == {home.ip}
    (restriction,) = Restriction.objects.filter(account=home.customer.account)
    assert (restriction.rule, restriction.author_kind) == ("ABU-3", "clock")


def charged_and_told(world: World, case: Case, home: Home) -> Invoice:
    """ABU-10, INV-1 to INV-3, INV-10: the statement of reasons, and EUR 90 with VAT on an invoice they can open."""
    _first, fee = Invoice.objects.filter(account=home.customer.account).order_by("pk")
    (line,) = fee.lines.all()
    assert (line.rule, line.net_cents) == ("ABU-3", 9000)
    assert (fee.net_cents, fee.vat_cents, fee.total_cents, fee.number) == (9000, 1800, 10800, "F2026-000003")

    (statement,) = Statement.objects.filter(case=case)
    (told,) = [letter for letter in mail.outbox if statement.redress in letter.body]
    assert told.to == [home.customer.user.email]
    assert statement.facts in told.body
    (step,) = case.steps.all()
    assert statement.written_at <= step.effective_at

    page = Client()
    page.force_login(home.customer.user)
    answer = page.get(reverse("invoicing:invoice_pdf", args=[fee.number]))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert fee.pdf is not None
    content = files.read(fee.pdf)
    assert answer.content == content
    said = pdf.text(content)
    expected = (fee.number, "ABU-3", case.reference, "EUR 90.00", "EUR 18.00", "EUR 108.00")
    assert [words for words in expected if words not in said] == []
    (sent,) = [letter for letter in mail.outbox if fee.number in letter.subject]
    assert [attached[1] for attached in sent.attachments] == [content]
    return fee


def given_back(world: World, case: Case, home: Home, fee: Invoice) -> None:
    """ABU-10, INV-11: the restriction lifted, the fee mirrored by a credit note, the books at nothing."""
    case.refresh_from_db()
    assert (case.state, steps(case), fees(case)) == ("reversed", [("deactivate", "undone")], [])
    assert blocked(home.server) == set()
    _first, again, note = Invoice.objects.filter(account=home.customer.account).order_by("pk")
    assert (again.pk, again.total_cents) == (fee.pk, 10800)
    assert (note.kind, note.number, note.credits_id) == ("credit_note", "A2026-000001", fee.pk)
    assert (note.net_cents, note.vat_cents, note.total_cents) == (9000, 1800, 10800)
    assert note.pdf is not None
    assert fee.number in pdf.text(files.read(note.pdf))
    assert ledger.balance(ledger.CUSTOMERS, home.customer.account) == 0
    assert ledger.total() == 0
    assert len(world.mails("abuse_reversed", case.account)) == 1


def test_an_answer_at_exactly_48_hours_is_in_time(world: World, till: Till, cloud: LocalProvider, desk: Desk) -> None:
    """ABU-2, ABU-9: the customer's mail arrives at the last instant; no second later is anything cut off or charged."""
    alice = home_of(world, till, cloud, "Alice")
    case = reported(desk, alice)
    assert case.t0 is not None
    world.until(case.t0 + timedelta(hours=48), sweeps=[ESCALATE])
    thread = Ticket.objects.get(pk=case.ticket_id)
    to = return_address.of(thread)
    letter = desk.letter(sender=alice.customer.user.email, to=to, subject="Re: notice", body="We took it down.")
    assert desk.pipe(letter.as_bytes(), to) == {"reports": [], "ticket": thread.number, "bounced": False}
    world.advance(seconds=1, sweeps=[ESCALATE])
    world.advance(days=10, sweeps=[ESCALATE])
    case.refresh_from_db()
    assert (case.state, steps(case), fees(case), blocked(alice.server)) == ("answered", [], [], set())
    assert len(till.shop.invoices(alice.customer)) == 1
    alice.log_in().close()
