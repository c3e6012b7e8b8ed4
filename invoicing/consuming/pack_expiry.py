"""Prepaid packs end by themselves (OPR-9): a time after the last use, announced before, and never while one of the
account's services is being rated. What comes late of a use before the end opens the pack again (`packs.draw`)."""

from datetime import datetime, timedelta

from invoicing.consuming import pack_rules, packs
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Pack, PackClosing, PackNotice, Subscription
from panel import terms
from panel.core import due, mail
from panel.core.actors import CLOCK
from panel.core.calendars import add_months, is_missed, paris_date, start_of_paris_day
from panel.core.due import SweepReport

SLACK = timedelta(days=4)  # months differ in length: what is near is looked at exactly


@due.sweep("invoicing.packs", every_seconds=3600)
def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Packs whose end is near are announced, those whose end is missed expire."""
    near = _near(now)
    if dry_run:
        return SweepReport(would=[f"look at the end of pack {reference}" for _pk, reference in near])
    return due.each([pk for pk, _reference in near], lambda pk: _look(pk, now=now))


def _near(now: datetime) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    still = Pack.objects.filter(closing=PackClosing.OPEN)
    for name in still.order_by().values_list("terms_version", flat=True).distinct():
        law = packs.sold_under(terms.version(name))
        last_use = add_months(paris_date(now) + timedelta(days=max(law.notice_days)) + SLACK, -law.months)
        rows = still.filter(terms_version=name, used_at__lt=start_of_paris_day(last_use)).order_by("used_at", "pk")
        found += rows.values_list("pk", "reference")
    return found


def _look(pk: int, *, now: datetime) -> None:
    """One pack, under the locks of all that is rated for its account: services first, as everywhere."""
    account = Pack.objects.values_list("account_id", flat=True).get(pk=pk)
    list(Subscription.objects.select_for_update(of=("self",)).filter(account=account).order_by("pk"))
    row = Pack.objects.select_for_update(of=("self",)).select_related("account", "package").get(pk=pk)
    if row.closing != PackClosing.OPEN:
        return
    law = packs.sold_under(terms.version(row.terms_version))
    expires = pack_rules.expires_on(row.used_at, law.months)
    told = set(PackNotice.objects.filter(pack=row, expires_on=expires).values_list("days", flat=True))
    days = pack_rules.notice_due(expires, law.notice_days, told, now) if row.remaining else None
    if days is not None:
        if not told:
            row.kept_until = pack_rules.kept_until(expires, law.notice_days, now)
            Pack.objects.filter(pk=pk).update(kept_until=row.kept_until)
        PackNotice.objects.create(pack=row, account_id=row.account_id, expires_on=expires, days=days, at=now)
        _mail(row, "pack_expires", f"pack:{row.reference}:{expires}:{days}", now=now)
    elif is_missed(now, packs.held_of({pk: row})[pk].expires_at):
        _expire(row, now=now)


def _expire(row: Pack, *, now: datetime) -> None:
    units = row.units_left
    if packs.close(row, PackClosing.EXPIRED, now=now):
        tell("pack.expired", row, now=now, actor=CLOCK, rule=packs.RULE,
             data={"pack": row.reference, "units": f"{units.normalize():f} {row.unit}"})  # fmt: skip
        _mail(row, "pack_expired", f"pack:{row.reference}:expired:{row.used_at.isoformat()}", now=now)


def _mail(row: Pack, template: str, key: str, *, now: datetime) -> None:
    account, language = row.account, texts.language_of(row.account.language)
    mail.send(
        template, to=account.billing_email, lang=language, key=key, now=now, account_id=account.pk, subject=row,
        context={
            "name": account.name, "pack": row.reference, "named": row.package.named(language),
            "units": texts.decimal(language, row.units_left), "unit": row.unit,
            "last": texts.day(language, packs.last_day(row)), "used": texts.day(language, paris_date(row.used_at)),
            "was_used": row.used_at > row.bought_at,
        },
    )  # fmt: skip
