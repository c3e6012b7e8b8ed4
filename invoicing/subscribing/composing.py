"""What a subscription consists of: now, and from a renewal to come on (SUB-12, LEG-3). Reads only."""

from collections.abc import Iterable
from datetime import date

from invoicing.models import ChangeState, Subscription, SubscriptionChange, SubscriptionOption
from invoicing.offering import price_notices
from invoicing.subscribing import change_rules
from invoicing.subscribing.change_rules import Composition, Held


def held_by(row: Subscription, options: Iterable[SubscriptionOption] | None = None) -> Composition:
    """What the subscription consists of now; `options` where they were read already."""
    rows = row.options.select_related("option") if options is None else options
    running = sorted((one for one in rows if one.until is None), key=lambda one: (one.since, one.pk))
    held = tuple(Held(one.option.code, one.quantity, one.price_cents) for one in running)
    return Composition(row.package.code, row.price_cents, row.interval, held)


def planned(row: Subscription) -> SubscriptionChange | None:
    """What waits for the renewal."""
    return row.changes.filter(state=ChangeState.PLANNED).select_related("package").first()


def from_renewal(row: Subscription, day: date) -> Composition:
    """What it is renewed as on `day` as things stand: with what was planned and the prices announced until then
    (`changes.at_renewal` has it happen). A planned change of the interval is left aside."""
    whole, waiting = held_by(row), planned(row)
    if waiting is not None and waiting.interval == row.interval and waiting.effective_on <= day:
        whole = change_rules.composition(waiting.after)
    return price_notices.applied(whole, price_notices.at(row, day))
