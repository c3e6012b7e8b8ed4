"""Sales of the demo world: quotes, a metered service, a down payment, debts, and what staff does by hand."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from invoicing.banking import bank_files
from invoicing.chasing import late
from invoicing.consuming import metered_kind, usage, usage_setup
from invoicing.debiting import batches, mandate_signing, mandates
from invoicing.funding import topping_up
from invoicing.models import (
    ONCE,
    PACK,
    Family,
    Interval,
    Invoice,
    InvoiceLine,
    Package,
    PaymentMethod,
    Payout,
    Price,
    Quote,
    Subscription,
)
from invoicing.offering import groups, price_notices, promotions
from invoicing.paying import means
from invoicing.paying_out import asking
from invoicing.quoting import quote_signing, quotes
from invoicing.selling_by_hand import down_payments, manual_sales
from invoicing.subscribing import changes
from invoicing.transferring import transfers
from panel import terms
from panel.core.calendars import paris_date
from panel.demo import letters, people, provider
from panel.demo.people import Person, Shopper
from panel.demo.walk import Walk
from servers.providers.simulated.control import Control
from tickets import contests

WINTER = "WINTER20"
RELAY, MAILS = "mail-relay", "mails-3000"
TIERS = ({"up_to": "10000", "unit_price": "0.002"}, {"up_to": None, "unit_price": "0.0012"})


def signed_quote(walk: Walk, customer: Person, staff: Person) -> None:
    """A migration, its deposit invoiced on signature."""
    quote = _drawn_up(walk, customer, staff, "Migration of the shop", days=30)
    quotes.add_line(
        quote, "Migration of the shop and its database", quantity=Decimal(14), unit_price=Decimal(75), unit="h"
    )
    quotes.set_stages(quote, [("Deposit", 30, "signed", None), ("Acceptance", 70, "reached", None)])
    sent = _sent(walk, quote, staff)
    walk.on(hours=9)
    quote_signing.sign(
        sent, name=customer.user.name, sha256=sent.pdf.sha256 if sent.pdf else "", ip="192.0.2.44", now=walk.now,
        accepted=terms.version(sent.terms_version).order_documents, actor=customer.actor,
    )  # fmt: skip
    walk.settle()


def open_quote(walk: Walk, customer: Person, staff: Person) -> None:
    """Two larger servers at a price of their own, and traffic cheaper than the terms say (LEG-6)."""
    quote = _drawn_up(walk, customer, staff, "Two servers for the winter season", days=30)
    package = Package.objects.get(code="vps-l")
    quotes.add_line(quote, "", quantity=Decimal(2), unit_price=Decimal(20), package=package, interval="month")
    quotes.add_line(quote, "Set-up and monitoring", quantity=Decimal(4), unit_price=Decimal(75), unit="h")
    quotes.change(
        quote, special={"SRV-5.price_per_gb": "0.90"}, introduction="As discussed on the telephone last week.",
        conditions="The prices hold until the end of March; both servers can be ended separately.",
    )  # fmt: skip
    _sent(walk, quote, staff)


def one_address_more(walk: Walk, customer: Person) -> None:
    """An address more on a running server today, and annual billing from the renewal on (SUB-12)."""
    row = Subscription.objects.select_related("package").get(account=customer.client, settings__name="db-1")
    wish = changes.Wish(row.package.code, "year", {"vps-address": 1})
    changes.change(row, wish, key="demo", actor=customer.actor, now=walk.now)
    walk.settle()


def late_payer(walk: Walk, shopper: Shopper, place: str, bytes_a_day: int) -> Person:
    """Goes beyond her traffic, took her card away, and pays nothing: reminded, and to be suspended (INV-14, SRV-6)."""
    marta = people.customer(
        "Customer who pays late", "Marta Nowak", "marta@nowak-photo.example", now=walk.now,
        company="Nowak Photo SARL", siren="443061841", street="5 place Bellecour", postcode="69002", city="Lyon",
        country="FR",
    )  # fmt: skip
    server = shopper.buy(marta, "vps-s", name="photos-1", key_ids=[shopper.key(marta, "studio")])
    Control(place).carry(server.provider_ref, bytes_a_day=bytes_a_day)
    for card in PaymentMethod.objects.filter(account=marta.client, removed_at=None):
        means.remove(card, actor=marta.actor, now=walk.now)
    walk.settle()
    return marta


def relay(walk: Walk, shopper: Shopper, customer: Person, staff: Person) -> Subscription:
    """A service that is metered by events, with an allowance and tiers (OPR-1), and a prepaid pack for it (OPR-9), paid
    from the funds."""
    family = Family.objects.create(
        code=RELAY, name="Mail relay", name_fr="Relais de courrier", position=1,
        summary="Your transactional mail, delivered and counted.",
        summary_fr="Vos courriers transactionnels, remis et comptés.",
    )  # fmt: skip
    package = Package.objects.create(
        family=family, code=RELAY, name="Mail relay", name_fr="Relais de courrier", service_kind=metered_kind.KIND,
        summary="1,000 mails a month included; each one beyond is counted.",
        summary_fr="1 000 courriers par mois inclus ; au-delà, chacun est compté.", spec={},
    )  # fmt: skip
    for interval, cents in ((Interval.MONTH, 490), (Interval.YEAR, 4900)):
        Price.objects.create(package=package, interval=interval, amount_cents=cents, valid_from=walk.now)
    wish = usage_setup.MeterWish("mails", "Mails", "Courriers", "mails", Decimal(1000), TIERS)
    usage_setup.set_meter(package, wish, valid_from=walk.now, actor=staff.actor, now=walk.now)
    usage_setup.add_source(RELAY, actor=staff.actor, now=walk.now)
    order = shopper.order(customer, RELAY, name="shop", key_ids=[])
    topping_up.pay_order(order, actor=customer.actor, now=walk.now)
    walk.settle()
    pack = Package.objects.create(
        family=family, code=MAILS, name="3,000 mails in advance", name_fr="3 000 courriers d’avance", service_kind=PACK,
        summary="Used before what your service includes.", summary_fr="Utilisés avant ce que votre service inclut.",
        position=1, spec={"meter": "mails", "unit": "mails", "units": "3000"},
    )  # fmt: skip
    Price.objects.create(package=pack, interval=ONCE, amount_cents=450, valid_from=walk.now)
    order = shopper.order(customer, MAILS, name="mails in advance", key_ids=[], interval=ONCE)
    topping_up.pay_order(order, actor=customer.actor, now=walk.now)
    walk.settle()
    return Subscription.objects.get(order__package=package)


def relayed(walk: Walk, row: Subscription, mails: int, days: int) -> None:
    """So many mails went out over the last `days`, told by the relay once a day."""
    told = [
        usage.Told(
            f"{walk.now:%m%d}-{day}", row.reference, "mails", Decimal(mails // days),
            max(row.started_at, walk.now - timedelta(days=day)),
        )
        for day in range(days)
    ]  # fmt: skip
    usage.record(RELAY, told, now=walk.now)
    walk.settle()


def legal_rate(walk: Walk, staff: Person) -> None:
    """Where no rate of the half-year came with the program, one for show: its source says what it is (INV-8)."""
    half = late.missing_rate(walk.now)
    if half is not None:
        newest = late.known_rates()[0]
        source = f"demonstration: the rate of {newest.half} carried on, not a published one"
        late.set_rate(half, newest.percent, source=source, actor=staff.actor, now=walk.now)


def down_payment(walk: Walk, customer: Person, staff: Person) -> None:
    """Asked for and collected from the card; staff takes it off the final invoice (INV-2)."""
    down_payments.ask(
        customer.client, "Down payment: set-up of a streaming cluster", 30_000, reference="WM-2026-07", once="demo",
        actor=staff.actor, now=walk.now,
    )  # fmt: skip
    walk.settle()


def by_hand(walk: Walk, customer: Person, staff: Person) -> None:
    """An hour of advice, paid by transfer; another one that is still a draft."""
    for reference, description in (("PO-4471", "Advice on the mail server"), ("PO-4490", "Review of the backups")):
        draft = manual_sales.draw_up(customer.client, reference=reference, now=walk.now, actor=staff.actor)
        manual_sales.add_line(draft, description, quantity=Decimal(1), unit_price=Decimal(75), unit="h")
        if reference == "PO-4471":
            manual_sales.issue(draft, now=walk.now, actor=staff.actor)
    walk.settle()
    manual_sales.record_payment(
        customer.client, 1200, means="transfer", reference="VIR 2026-11 ATELIER NORD", received_on=paris_date(walk.now),
        invoice=None, now=walk.now, actor=staff.actor,
    )  # fmt: skip


def disputed(walk: Walk, customer: Person) -> None:
    """The newest invoice of a subscription is disputed; staff owes a decision (TIC-6)."""
    lines = InvoiceLine.objects.filter(account=customer.client, rule="SUB-12", net_cents__gt=0)
    invoice = Invoice.objects.filter(pk__in=lines.values("invoice"), kind="invoice").order_by("-pk")[0]
    contests.open_contest(
        invoice, None, why="The second address was ordered on the 12th, but only answered on the 14th.", via="web",
        actor=customer.actor, now=walk.now,
    )  # fmt: skip
    walk.settle()


def mandate(walk: Walk, customer: Person, *, default: bool) -> None:
    """A SEPA mandate, read and signed; of which invoices are collected from now on if `default`."""
    made = mandates.draw_up(
        customer.client, iban="DE89 3704 0044 0532 0130 00", holder=customer.user.name, actor=customer.actor,
        now=walk.now,
    )  # fmt: skip
    walk.settle()
    made.refresh_from_db()
    mandate_signing.sign(
        made, name=customer.user.name, sha256=made.pdf_sha256, default=default, actor=customer.actor, ip="192.0.2.44",
        now=walk.now,
    )  # fmt: skip
    walk.settle()


def promotion(walk: Walk, staff: Person) -> None:
    """A code that takes a fifth off the first three invoices of larger servers."""
    promotions.create(
        WINTER, list(Package.objects.filter(code__in=("vps-m", "vps-l"))), now=walk.now, actor=staff.actor,
        name="Winter season, larger servers", percent=Decimal(20), periods=3, valid_from=walk.now, most_uses=100,
        most_per_account=1,
    )  # fmt: skip


def debited(walk: Walk, customer: Person, staff: Person) -> None:
    """An invoice that is collected under the mandate: its debit is announced."""
    draft = manual_sales.draw_up(customer.client, reference="WM-77", now=walk.now, actor=staff.actor)
    manual_sales.add_line(draft, "Tuning of the video server", quantity=Decimal(3), unit_price=Decimal(75), unit="h")
    manual_sales.issue(draft, now=walk.now, actor=staff.actor)
    walk.settle()


def file_for_the_bank(walk: Walk, staff: Person) -> None:
    """The file with what is announced; it waits to be handed to the bank."""
    until = paris_date(walk.now) + timedelta(days=28)
    batches.make(key="demo", until=until, actor=staff.actor, now=walk.now)


def offered_over(walk: Walk, giver: Person, receiver: Person) -> None:
    """A server that an agency set up is offered to its customer, who has not answered yet (SUB-4)."""
    row = Subscription.objects.filter(account=giver.client, state="active").order_by("pk")[0]
    transfers.offer(
        row, to=receiver.client.reference, reason="The project is finished; the server is yours now.",
        actor=giver.actor, now=walk.now,
    )  # fmt: skip
    walk.settle()


def trials_of_the_smallest() -> None:
    """The smallest server can be tried for a fortnight."""
    Package.objects.filter(code="vps-s").update(trial_days=14, trial_needs_means=False)


def agencies(walk: Walk, customer: Person, staff: Person) -> None:
    """A group that pays less, with a price of its own for the largest server."""
    group = groups.create("agencies", "Agencies with many servers", actor=staff.actor, now=walk.now)
    groups.set_percent(group, Decimal(10), valid_from=walk.now, actor=staff.actor, now=walk.now)
    package = Package.objects.get(code="vps-l")
    price_notices.set_price(package, "month", 1990, valid_from=walk.now, actor=staff.actor, now=walk.now, group=group)
    groups.join(group, customer.client.reference, actor=staff.actor, now=walk.now)


def _drawn_up(walk: Walk, customer: Person, staff: Person, title: str, *, days: int) -> Quote:
    return quotes.draw_up(
        customer.client, title, valid_until=paris_date(walk.now) + timedelta(days=days), our_manager=staff.user.name,
        now=walk.now, actor=staff.actor,
    )  # fmt: skip


def _sent(walk: Walk, quote: Quote, staff: Person) -> Quote:
    quotes.send(quote, now=walk.now, actor=staff.actor)
    walk.settle()
    return Quote.objects.select_related("pdf").get(pk=quote.pk)


def paid_out(shopper: Shopper) -> str:
    """The provider pays out what was collected; its name for it."""
    return provider.control(shopper.bank, "payout")["payout"]


def told_of(walk: Walk, ref: str) -> Payout:
    """Our own question comes before the provider's message; the bank shows nothing yet (INV-11)."""
    with transaction.atomic():
        asking.look(ref, "demo", now=walk.now)
    walk.settle()
    return Payout.objects.get(provider_ref=ref)


def at_the_bank(walk: Walk, ref: str, staff: Person) -> None:
    """The bank's file has a line that names the provider: it is matched by itself."""
    payout = told_of(walk, ref)
    raw = letters.bank_statement(
        str(settings.CLAUSE_SELLER["iban"]), payout.arrives_on, payout.amount_cents, "STRIPE PAYOUT", payer="Stripe"
    )
    bank_files.take_in(raw, name="payouts.xml", actor=staff.actor, now=walk.now)
