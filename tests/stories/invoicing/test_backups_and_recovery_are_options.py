"""As a customer I add disaster recovery and a level of backup to a running server, at their price by the day; as staff
I put them up for sale once a place can carry them out, and not before (SUB-14, SUB-12)."""

import pytest

from invoicing.models import Invoice, Option, Subscription
from invoicing.offering import catalogue
from invoicing.offering.catalogue_forms import OptionForm
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Wish
from panel.core.errors import RuleViolation
from servers.kinds import VpsKind
from tests.support.machines import server_of, simulated_place
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def change(world: World, alice: Customer, row: Subscription, **options: int) -> None:
    wanted = {code.replace("_", "-"): count for code, count in options.items()}
    fresh = Subscription.objects.get(pk=row.pk)
    changes.change(fresh, Wish("vps-s", "month", wanted), key=str(wanted), actor=alice.actor, now=world.now)


def test_they_are_in_the_catalogue_and_not_for_sale(world: World, alice: Customer, shop: Shop) -> None:
    later = set(Option.objects.filter(on_sale=False).values_list("code", flat=True))
    assert later >= {"vps-backup-1", "vps-backup-2", "vps-backup-3", "vps-backup-own", "vps-recovery"}
    bought = shop.buy(alice)
    with pytest.raises(RuleViolation, match="not on sale"):
        change(world, alice, bought, vps_recovery=1)


def test_once_for_sale_they_are_prorated_and_renewed(world: World, alice: Customer, shop: Shop) -> None:
    Option.objects.update(on_sale=True)
    bought = shop.buy(alice)
    world.advance(days=15)  # 17 March: 16 of the 31 days from 2 March to 1 April are left
    change(world, alice, bought, vps_recovery=1, vps_backup_2=1)
    invoice = Invoice.objects.latest("pk")
    # 12.90 x 16 / 31 = 6.658..., 3.90 x 16 / 31 = 2.012...
    assert sorted(line.net_cents for line in invoice.lines.all()) == [201, 666]
    world.advance(days=16, sweeps=("invoicing.renew",))
    assert sorted(line.net_cents for line in Invoice.objects.latest("pk").lines.all()) == [390, 590, 1290]


def test_of_the_levels_one_is_chosen(world: World, alice: Customer, shop: Shop) -> None:
    Option.objects.update(on_sale=True)
    bought = shop.buy(alice)
    change(world, alice, bought, vps_backup_1=1)
    with pytest.raises(RuleViolation, match="not both"):
        change(world, alice, bought, vps_backup_1=1, vps_backup_3=1)
    change(world, alice, bought, vps_backup_3=1)
    with pytest.raises(RuleViolation, match="not both"):
        catalogue.choices(bought.package, {"vps-backup-1": 1, "vps-backup-2": 1})


def test_staff_cannot_put_up_for_sale_what_no_place_can_carry_out(world: World, shop: Shop) -> None:
    option = Option.objects.get(code="vps-recovery")
    typed = {
        "family": option.family_id, "name": "R", "name_fr": "R", "service_kind": "vps", "position": 9, "on_sale": "on",
        "maximum": 1,
    }  # fmt: skip
    shop.service.cannot_carry_out = "No place can."
    assert OptionForm(typed, instance=option).errors["on_sale"] == ["No place can."]
    shop.service.cannot_carry_out = ""
    assert OptionForm(typed, instance=option).is_valid()


def test_no_place_of_today_can_recover_elsewhere(world: World, tmp_path: object) -> None:
    kind = VpsKind()
    with simulated_place(tmp_path):  # type: ignore[arg-type]
        assert "No place" in kind.why_not_offered("vps-recovery")
        assert kind.why_not_offered("vps-backup-1") == ""
        assert kind.why_not_offered("vps-address") == ""
        server = server_of(world, world.customer())
        refused = kind.refusal_to_change(server.subscription, server.subscription.package, {"vps-recovery": 1})
        assert "not on offer" in refused
        with pytest.raises(RuleViolation, match="not on offer"):
            kind.validate(server.subscription.package, {"name": "web-9", "options": {"vps-recovery": 1}})
