"""What happens in the demo world, told in the order of the calendar. It ends now."""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from abuse import decisions, intake, reporters
from abuse.models import Case
from domains.dns import Resolver
from invoicing.banking import bank_files
from invoicing.offering import catalogue
from panel.accounts import permissions
from panel.core import due
from panel.demo import letters, people, provider, sales, upkeep
from panel.demo.logins import Login
from panel.demo.people import Person, Shopper
from panel.demo.walk import Walk
from servers.models import Server
from servers.providers.simulated.control import Control
from tickets import conversation

PLACE = "sim-1"
DAYS = 62
RIGHTS = "notices@aurora-rights.example"
GB = 10**9


class Silence:
    """The demo world asks no name server: its reporter proves itself by a secret address."""

    def txt(self, name: str) -> list[bytes]:
        return []

    def addresses(self, name: str) -> list[str]:
        return []

    def names_of(self, address: str) -> list[str]:
        return []


def build(now: datetime, bank: str) -> list[Login]:
    """Live the two months before `now`; `bank`: the simulated payment provider. Returns the log-ins."""
    with provider.past(bank):
        return _build(Walk(now - timedelta(days=DAYS), partial(provider.clock, bank)), now, bank)


def _build(walk: Walk, now: datetime, bank: str) -> list[Login]:
    shopper = Shopper(walk, bank)
    catalogue.install_catalogue()
    admin = people.staff("Staff: administrator", "Sam Keller", "sam@staff.example", "administrator", now=walk.now)
    nora = people.staff("Staff: abuse desk", "Nora Petit", "nora@staff.example", "abuse", "support", now=walk.now)
    reporter = reporters.add(RIGHTS, name="Aurora Rights", domain="aurora-rights.example", trusted=True,
                             actor=nora.actor, now=walk.now)  # fmt: skip
    mailbox = reporters.give_address(reporter, actor=nora.actor, now=walk.now)

    camille, server, theo = _camille(walk, shopper)
    lukas = _lukas(walk, shopper)
    marta = sales.late_payer(walk, shopper, PLACE, 41 * GB)
    walk.on(days=12)
    sales.legal_rate(walk, admin)
    sales.one_address_more(walk, camille)
    relay = sales.relay(walk, shopper, camille, admin)
    ines = _ines(walk, shopper)
    walk.on(days=9)
    _answered_case(walk, server, mailbox, camille, nora)
    sales.relayed(walk, relay, 6_300, days=9)
    first = sales.paid_out(shopper)
    upkeep.maintenance(walk, PLACE, admin, **upkeep.HOSTS, hours=60)
    walk.on(days=10)
    upkeep.incident(walk, PLACE, admin)
    sales.at_the_bank(walk, first, admin)
    sales.down_payment(walk, lukas, admin)
    _request(walk, camille, admin)
    sales.signed_quote(walk, camille, admin)
    sales.mandate(walk, camille, default=False)
    sales.mandate(walk, lukas, default=True)
    walk.until(now - timedelta(days=4, hours=6))
    upkeep.backups_on_sale()
    upkeep.backed_up(walk, camille, "web-1")
    _silent_case(walk, ines, mailbox)
    sales.debited(walk, lukas, admin)
    second = sales.paid_out(shopper)
    walk.until(now - timedelta(hours=20), step=timedelta(hours=1))
    sales.told_of(walk, second)
    sales.file_for_the_bank(walk, admin)
    upkeep.maintenance(walk, PLACE, admin, **upkeep.SWITCHES, hours=54)
    _running_case(walk, camille, mailbox)
    _unknown_report(walk, lukas)
    _transfer(walk, admin)
    sales.relayed(walk, relay, 1_450, days=5)
    sales.open_quote(walk, camille, admin)
    sales.by_hand(walk, camille, admin)
    sales.disputed(walk, camille)
    sales.promotion(walk, admin)
    sales.agencies(walk, ines, admin)
    sales.offered_over(walk, lukas, camille)
    sales.trials_of_the_smallest()
    shopper.order(camille, "vps-l", name="render-1", key_ids=[], promotion=sales.WINTER)
    sofia = _sofia(walk, shopper)
    walk.until(now, step=timedelta(hours=1))
    for name in ("servers.watch", "core.seal", "invoicing.compare"):
        due.SWEEPS[name].run(now)
    walk.settle()
    return [person.login for person in (camille, theo, lukas, marta, ines, sofia, admin, nora)]


def _camille(walk: Walk, shopper: Shopper) -> tuple[Person, Server, Person]:
    """Pays, answers, and lets a colleague in who may only look after servers."""
    camille = people.customer(
        "Customer, all in order", "Camille Martin", "camille@atelier-nord.example", now=walk.now,
        company="Atelier Nord SARL", siren="552100554", vat_number="FR96552100554", street="8 rue du Port",
        postcode="59800", city="Lille", country="FR",
    )  # fmt: skip
    people.bills_to(camille, "Comptabilité", "AN-2026-118", now=walk.now)
    key = shopper.key(camille, "laptop")
    server = shopper.buy(camille, "vps-m", name="web-1", key_ids=[key], addresses=1)
    Control(PLACE).carry(server.provider_ref, bytes_a_day=38 * GB)
    walk.on(days=3)
    second = shopper.buy(camille, "vps-s", name="db-1", key_ids=[key])
    Control(PLACE).carry(second.provider_ref, bytes_a_day=9 * GB)
    theo = people.contact(
        camille, "Her contact: servers only", "Théo Blanc", "theo@atelier-nord.example",
        sorted({"see", "servers", "tickets"} & permissions.ALL), now=walk.now,
    )  # fmt: skip
    walk.settle()
    shopper.top_up(camille, 5_000)
    return camille, server, theo


def _lukas(walk: Walk, shopper: Shopper) -> Person:
    """A German company, its VAT number not confirmed yet, whose traffic goes beyond its plan (SRV-5)."""
    lukas = people.customer(
        "Customer over his traffic", "Lukas Weber", "lukas@weber-medien.example", now=walk.now,
        company="Weber Medien GmbH", vat_number="DE136695976", street="Hafenstr. 3", postcode="20457",
        city="Hamburg", country="DE",
    )  # fmt: skip
    server = shopper.buy(lukas, "vps-s", name="stream-1", key_ids=[shopper.key(lukas, "office")])
    Control(PLACE).carry(server.provider_ref, bytes_a_day=37 * GB)
    return lukas


def _ines(walk: Walk, shopper: Shopper) -> Person:
    """Never answers."""
    ines = people.customer(
        "Customer who stays silent", "Inès Roche", "ines@roche-video.example", now=walk.now, language="fr",
        company="Roche Vidéo SAS", siren="404833048", street="21 cours Mirabeau", postcode="13100",
        city="Aix-en-Provence", country="FR",
    )  # fmt: skip
    server = shopper.buy(ines, "vps-s", name="media-1", key_ids=[shopper.key(ines, "poste")])
    Control(PLACE).carry(server.provider_ref, bytes_a_day=21 * GB)
    return ines


def _sofia(walk: Walk, shopper: Shopper) -> Person:
    """New, and paid by a card from another country: a person looks at her order first (SUB-4)."""
    sofia = people.customer(
        "New customer whose order is checked", "Sofía Romero", "sofia@romero-fotos.example", now=walk.now,
        company="Romero Fotos SL", street="Calle Mayor 12", postcode="28013", city="Madrid", country="ES",
    )  # fmt: skip
    shopper.pay(sofia, shopper.order(sofia, "vps-m", name="fotos-1", key_ids=[]))
    return sofia


def _report(walk: Walk, server: Server, mailbox: str, title: str) -> Case:
    """Aurora Rights writes about `server`; its secret address proves it, so the clock starts (ABU-1)."""
    ip = server.holdings.get(is_first=True, until=None).address.ip
    raw = letters.xarf(ip, happened=walk.now - timedelta(hours=3), title=title, sender=RIGHTS, to=mailbox)
    received = intake.receive(raw, recipients=[mailbox], resolver=_resolver(), now=walk.now)
    walk.settle()
    case = Case.objects.filter(reports__in=received.reports).first()
    if case is None:
        raise RuntimeError(f"no case came of the report about {ip}")
    return case


def _transfer(walk: Walk, admin: Person) -> None:
    """The bank's file tells of a transfer that names no invoice: it waits for a person (INV-11)."""
    raw = letters.bank_statement(str(settings.CLAUSE_SELLER["iban"]), walk.now.date(), 4_200, "Merci, Atelier Nord")
    bank_files.take_in(raw, name="statement.xml", actor=admin.actor, now=walk.now)
    walk.settle()


def _resolver() -> Resolver:
    return Silence()


def _answered_case(walk: Walk, server: Server, mailbox: str, camille: Person, nora: Person) -> None:
    """Answered within the day, and accepted."""
    case = _report(walk, server, mailbox, "The Long Winter")
    walk.on(hours=7)
    conversation.reply(
        case.ticket, "A former intern's account was still open. We removed the file and the account.",
        actor=camille.actor, via="web", now=walk.now,
    )  # fmt: skip
    walk.on(hours=3)
    reason = "The file is gone; thank you for the quick answer."
    decisions.accept(case.pk, actor=nora.actor, reason=reason, now=walk.now)
    walk.settle()


def _silent_case(walk: Walk, ines: Person, mailbox: str) -> None:
    """Nobody answers: address cut after 48 h with EUR 90, account suspended after 72 h, EUR 280 to come (ABU-2..5)."""
    _report(walk, Server.objects.get(account=ines.client), mailbox, "Northern Lights")


def _running_case(walk: Walk, camille: Person, mailbox: str) -> None:
    """A clock that still runs."""
    _report(walk, Server.objects.get(account=camille.client, name="db-1"), mailbox, "A Summer in Lille")


def _unknown_report(walk: Walk, lukas: Person) -> None:
    """An unknown reporter's notice starts no clock before staff has looked (ABU-1)."""
    server = Server.objects.get(account=lukas.client)
    ip = server.holdings.get(is_first=True, until=None).address.ip
    mailbox = f"abuse@{settings.CLAUSE_MAIL_DOMAIN}"
    raw = letters.plain(ip, happened=walk.now - timedelta(hours=2), sender="admin@complaint.example", to=mailbox)
    intake.receive(raw, recipients=[mailbox], resolver=_resolver(), now=walk.now)
    walk.settle()


def _request(walk: Walk, camille: Person, admin: Person) -> None:
    """A request, answered, and one that waits for staff."""
    ticket = conversation.open_ticket(
        camille.client, department="support", title="Reverse DNS for our mail server",
        body="Could you set the reverse name of web-1's second address to mail.atelier-nord.example?",
        actor=camille.actor, via="web", now=walk.now,
    )  # fmt: skip
    walk.on(hours=5)
    conversation.reply(ticket, "Done: it answers since a minute ago.", actor=admin.actor, via="web", now=walk.now)
    walk.on(days=1)
    conversation.open_ticket(
        camille.client, department="billing", title="Our order number on invoices",
        body="Can our purchase order number PO-4471 stand on the next invoice?", actor=camille.actor, via="web",
        now=walk.now,
    )  # fmt: skip
    walk.settle()
