"""As a company elsewhere in the EU I give my VAT number once, and pay no French VAT while the register confirms it
(INV-10)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from invoicing.models import Invoice, VatCheck
from invoicing.taxing import vat_checks
from invoicing.vies import simulated
from invoicing.vies.simulated import SimulatedVies, running
from panel.accounts import profile
from panel.accounts.models import Account
from panel.core.errors import RuleViolation
from panel.core.models import Event, Operation
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
NUMBER = "DE136695976"


@pytest.fixture
def register() -> Iterator[SimulatedVies]:
    office = running()
    office.calm()
    yield office
    office.calm()


def lukas(world: World) -> Customer:
    return world.customer("Lukas", country="DE", vat_number=NUMBER)


def bought(shop: Shop, customer: Customer) -> tuple[str, int]:
    """Category and VAT of what the customer buys now."""
    customer.account.refresh_from_db()
    shop.buy(customer)
    invoice = Invoice.objects.order_by("pk").last()
    assert invoice is not None
    return invoice.lines.get().vat_code, invoice.vat_cents


def test_the_number_is_asked_for_at_sign_up_and_its_proof_is_kept(
    world: World, shop: Shop, register: SimulatedVies
) -> None:
    customer = lukas(world)
    assert bought(shop, customer) == ("S", 112), "before the answer he is taxed like a consumer"
    world.work()
    assert register.asked == [NUMBER]
    check = VatCheck.objects.get(account=customer.account)
    assert (check.answer, check.number, check.asked_at) == ("valid", NUMBER, world.now)
    assert check.consultation.startswith("WAPI")
    assert bought(shop, customer) == ("AE", 0)
    invoice = Invoice.objects.order_by("pk").last()
    assert invoice is not None
    assert invoice.vat_evidence["checks"]["consultation"] == check.consultation
    assert Event.objects.filter(kind="invoicing.vat.valid", account_id=customer.account.pk).count() == 1


def test_a_number_the_register_does_not_know_saves_no_tax(world: World, shop: Shop, register: SimulatedVies) -> None:
    register.mood(simulated.INVALID, number=NUMBER)
    customer = lukas(world)
    world.work()
    assert bought(shop, customer) == ("S", 112)
    customer.account.refresh_from_db()
    assert customer.account.vat_evidence["answer"] == "invalid"


def test_an_outage_never_gives_zero_percent(world: World, shop: Shop, register: SimulatedVies) -> None:
    register.mood("MS_UNAVAILABLE", number=NUMBER, times=3)
    customer = lukas(world)
    for _ in range(3):
        world.work()
        assert bought(shop, customer) == ("S", 112)
        world.advance(hours=1)
    world.advance(hours=1)
    assert bought(shop, customer) == ("AE", 0), "the question was not forgotten"


def test_the_last_yes_is_renewed_after_30_days_and_outlasts_an_outage_of_14(
    world: World, shop: Shop, register: SimulatedVies
) -> None:
    customer = lukas(world)
    world.work()
    world.advance(sweeps=["invoicing.check_vat"], days=30)
    assert len(register.asked) == 1, "a proof of 30 days is not old"
    register.mood("MS_UNAVAILABLE")
    world.advance(sweeps=["invoicing.check_vat"], minutes=1)
    assert len(register.asked) == 2
    world.until(VatCheck.objects.get().asked_at + timedelta(days=44))
    assert bought(shop, customer) == ("AE", 0)
    world.advance(seconds=1)
    assert bought(shop, customer) == ("S", 112)
    register.calm()
    world.advance(sweeps=["invoicing.check_vat"], days=1)
    assert bought(shop, customer) == ("AE", 0)


def test_a_sweep_asks_once_a_day_for_what_nobody_answered(world: World, shop: Shop, register: SimulatedVies) -> None:
    customer = lukas(world)
    Operation.objects.all().delete()  # as if the first question had been discarded
    for _ in range(3):
        assert world.sweep("invoicing.check_vat").done == 1
    assert Operation.objects.filter(kind=vat_checks.ASK, account_id=customer.account.pk).count() == 1
    world.work()
    assert world.sweep("invoicing.check_vat").done == 0


def test_staff_is_told_when_the_register_stays_silent(world: World, shop: Shop, register: SimulatedVies) -> None:
    register.mood(simulated.SILENT)
    customer = lukas(world)
    for _ in range(60):
        world.advance(hours=2)
    assert [op.kind for op in world.failed_operations()] == [vat_checks.ASK]
    assert VatCheck.objects.get(account=customer.account).answer == "silent"
    customer.account.refresh_from_db()
    assert customer.account.vat_valid_at is None


@pytest.mark.parametrize(
    ("country", "number", "named"),
    [("DE", "FR44732829320", "Germany"), ("FR", NUMBER, "France"), ("CH", NUMBER, "Switzerland")],
)
def test_a_number_of_another_country_is_refused_in_words(world: World, country: str, number: str, named: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        world.customer(country=country, vat_number=number)
    assert refused.value.field == "vat_number"
    assert number in refused.value.sentence
    assert named in refused.value.sentence


def test_greece_writes_its_numbers_with_el(world: World) -> None:
    assert world.customer(country="GR", vat_number="EL094259216").account.vat_number == "EL094259216"


def test_another_number_drops_the_proof_of_the_first(world: World, shop: Shop, register: SimulatedVies) -> None:
    customer, staff = lukas(world), world.staff("billing")
    world.work()
    values = {"kind": "business", "country": "AT", "vat_number": "ATU13585627", "siren": ""}
    profile.change_tax_identity(customer.account.pk, values, actor=staff, now=world.now)
    account = Account.objects.get(pk=customer.account.pk)
    assert (account.vat_valid_at, account.vat_evidence) == (None, {})
    assert bought(shop, customer)[0] == "S"
    world.work()
    assert bought(shop, customer) == ("AE", 0)
    assert register.asked == [NUMBER, "ATU13585627"]


def test_a_french_number_decides_nothing(world: World, shop: Shop, register: SimulatedVies) -> None:
    customer = world.customer(vat_number="FR96552100554", siren="552100554")
    world.work()
    world.sweep("invoicing.check_vat")
    world.work()
    assert register.asked == []
    with pytest.raises(RuleViolation):
        vat_checks.ask_again(customer.account, actor=world.staff("billing"), now=world.now)
