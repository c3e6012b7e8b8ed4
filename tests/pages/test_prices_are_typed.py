"""What staff types as a price: what is none is told at its field, keeps what was typed, and changes nothing."""

import pytest

from invoicing.models import Price
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
WRONG = {
    "5.905": "at most two decimals", "-1": "not negative", "5,9,0": "Enter a number", "Infinity": "Enter a number",
    "NaN": "Enter a number", "": "This field is required", "99999999.99": "digits",
}  # fmt: skip


@pytest.mark.parametrize("typed", WRONG)
def test_what_is_no_price_is_told_at_its_field(world: World, shop: Shop, typed: str) -> None:
    before = Price.objects.count()
    desk = logged_in(staff(world, "billing"))
    answer = desk.post(
        "/ops/catalogue/package/vps-s/price/", {"interval": "month", "amount": typed, "valid_from": "2030-01-01"}
    )
    assert answer.status_code == 422
    page = answer.content.decode()
    assert WRONG[typed] in page
    assert not typed or f'value="{typed}"' in page
    assert Price.objects.count() == before


def test_a_price_of_two_decimals_is_kept_to_the_cent(world: World, shop: Shop) -> None:
    desk = logged_in(staff(world, "billing"))
    made = desk.post(
        "/ops/catalogue/package/vps-s/price/", {"interval": "month", "amount": "6.95", "valid_from": "2030-01-01"}
    )
    assert made.status_code == 302
    assert Price.objects.latest("pk").amount_cents == 695
