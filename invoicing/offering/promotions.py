"""Promotional codes: made and switched off by staff, used by an order under the code's lock, kept while it lasts
(SUB-2)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import rules
from invoicing.documents import sale_words, texts
from invoicing.journal import tell
from invoicing.models import Order, OrderState, Package, PromotionCode, PromotionUse, Subscription
from invoicing.offering import promotion_rules
from invoicing.offering.promotion_rules import Asked, Promise
from invoicing.paying import settlement
from invoicing.rules import Line
from panel.accounts.models import Account
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.money import Cents, euros

RULE = "SUB-2"
LINE = "promotion:"
REFUSALS = {
    "unknown": gettext_lazy("This code is not known. Please check how it is written."),
    "not_now": gettext_lazy("This code is not valid at the moment."),
    "not_here": gettext_lazy("This code is not for this package or this billing period."),
    "used_up": gettext_lazy("This code has been used up."),
    "used_by_you": gettext_lazy("You have used this code already."),
    "new_only": gettext_lazy("This code is for a first order only."),
    "minimum": gettext_lazy("This order is too small for the code."),
}


def promised(row: PromotionCode) -> Promise:
    """What the code takes off, as an order that uses it now keeps it."""
    packages = tuple(sorted(row.packages.values_list("code", flat=True)))
    return Promise(
        row.code, row.percent, row.amount_cents or 0, row.periods, row.interval, packages, row.on_setup
    )  # fmt: skip


def typed(text: str) -> str:
    """A code as it is kept, however it was typed."""
    return "".join(text.split()).upper()[:40]


def lock(account: Account, text: str) -> PromotionCode | None:
    """Inside the transaction of an order that names a code: whoever uses it, or orders for this account, waits here,
    so that no limit is passed. The code comes before the account."""
    row = PromotionCode.objects.select_for_update().filter(code=typed(text)).first()
    settlement.lock_account(account.pk)
    return row


def check(
    account: Account, text: str, package: Package, interval: str, net: Cents, *, now: datetime
) -> tuple[PromotionCode, Promise]:
    """The code and its promise to an order of `net` cents; RuleViolation (field "promotion") when it cannot be used.
    Without its lock the answer is a preview."""
    row = PromotionCode.objects.filter(code=typed(text)).first()
    why = "unknown" if row is None else None
    if row is not None:
        promise, uses = promised(row), row.uses.filter(given_back_at=None)
        why = promotion_rules.refusal(
            Asked(
                now=now, starts=row.valid_from, ends=row.valid_until, switched_off=row.off_at is not None,
                uses=uses.count() if row.most_uses is not None else 0, most_uses=row.most_uses,
                own_uses=uses.filter(account=account).count(), most_own_uses=row.most_per_account,
                new_only=row.new_only, is_new=not _ordered_before(account), minimum=row.minimum_cents, net=net,
                covers=promotion_rules.holds(promise, package.code, interval, 0),
            )
        )  # fmt: skip
        if why is None:
            return row, promise
    raise RuleViolation(str(REFUSALS[why or "unknown"]), rule=RULE, field="promotion")


def _ordered_before(account: Account) -> bool:
    if Order.objects.filter(account=account).exclude(state=OrderState.CANCELLED).exists():
        return True
    return Subscription.objects.filter(account=account).exists()


def lines_off(promise: Promise, lines: Sequence[Line], *, language: str, number: int = 0) -> list[Line]:
    """The lines that take the promise off `lines`, one a VAT rate, each beside what it was reckoned from."""
    base: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        if promise.on_setup or not line.code.startswith(rules.SETUP):
            base.setdefault((line.vat_code, line.vat_rate, line.vat_reason), []).append(line)
    groups = list(base.values())
    nets = [sum(line.net for line in group) for group in groups]
    said = described(promise, language)
    return [
        rules.because(
            replace(
                group[0], code=f"{LINE}{promise.code}", description=said, quantity=-rules.ONE, unit_price=euros(cents),
                net=-cents, unit="", rule=RULE, period=next((one.period for one in group if one.period), None),
                evidence={},
            ),
            promotion=promise.code, reckoned_on_cents=nets[place], period_number=number + 1,
            **({} if promise.percent is None else {"percent": str(promise.percent)}),
        )
        for place, (group, cents) in enumerate(zip(groups, promotion_rules.taken_off(promise, nets), strict=True))
        if cents
    ]  # fmt: skip


def described(promise: Promise, language: str) -> str:
    """`Code SUMMER: 20 % off, first 3 invoices`, in the language of a document."""
    if promise.percent is None:
        off = texts.money(language, promise.cents)
    else:
        off = f"{texts.decimal(language, promise.percent)}\u00a0%"
    lasts = {promotion_rules.ALWAYS: "every_invoice", 1: "first_invoice"}.get(promise.periods, "first_invoices")
    when = sale_words.say(language, lasts, number=promise.periods)
    return sale_words.say(language, "promotion", code=promise.code, off=off, when=when)


def use(row: PromotionCode, promise: Promise, order: Order, cents: Cents, *, now: datetime, actor: Actor) -> None:
    """Write the use down, in the transaction of the order that holds the code's lock."""
    PromotionUse.objects.create(
        promotion=row, account=order.account, order=order, promise=promise.as_dict(), cents=cents, used_at=now
    )
    tell("promotion.used", order, now=now, actor=actor, rule=RULE,
         data={"promotion": row.code, "order": order.reference, "off_cents": cents})  # fmt: skip


def give_back(order: Order, *, now: datetime, actor: Actor) -> None:
    """The order was refused or cancelled: its use counts no more (SUB-3)."""
    if PromotionUse.objects.filter(order=order, given_back_at=None).update(given_back_at=now):
        tell("promotion.given_back", order, now=now, actor=actor, rule="SUB-3", data={"order": order.reference})


def at_renewal(row: Subscription, start: date, *, skipped: int = 0, package: str = "") -> tuple[Promise, int] | None:
    """What the code of its order still promises for the period that is renewed from `start` on; the periods invoiced
    so far, and the `skipped` ones before it that will be, say which one it is. `package`: what it will be by then."""
    mine = PromotionUse.objects.filter(order=row.order_id, account=row.account_id, given_back_at=None)
    used = mine.first() if row.order_id else None  # it was promised to who ordered, and to nobody after them
    if used is None:
        return None
    promise, number = promotion_rules.promise(used.promise), row.periods.filter(start__lt=start).count() + skipped
    covers = promotion_rules.holds(promise, package or row.package.code, row.interval, number)
    return (promise, number) if covers else None


# --- staff -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def create(code: str, packages: Sequence[Package], *, now: datetime, actor: Actor, **fields: Any) -> PromotionCode:
    """A new code with the `fields` of PromotionCode; RuleViolation when there is one of this name."""
    try:
        with transaction.atomic():
            row = PromotionCode.objects.create(code=typed(code), created_at=now, **fields)
    except IntegrityError:
        raise RuleViolation(_("There is a code of this name."), rule=RULE, field="code") from None
    row.packages.set(packages)
    events.record("invoicing.promotion.made", now=now, actor=actor, subject=row, rule=RULE,
                  data={"promotion": row.code})  # fmt: skip
    return row


@transaction.atomic
def switch_off(row: PromotionCode, *, now: datetime, actor: Actor) -> None:
    """It cannot be used any more; orders that used it keep what they were promised. Twice changes nothing."""
    if PromotionCode.objects.filter(pk=row.pk, off_at=None).update(off_at=now):
        events.record("invoicing.promotion.switched_off", now=now, actor=actor, subject=row, rule=RULE,
                      data={"promotion": row.code})  # fmt: skip
