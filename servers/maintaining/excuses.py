"""Which stretches do not count against the availability that a server's owner was promised (SUB-15)."""

from django.db.models import Exists, OuterRef, Q

from panel import terms
from servers.maintaining import maintenance_rules as rules
from servers.maintaining.interruption_models import InterruptionNotice
from servers.maintaining.maintenance_rules import Kind, Said, State
from servers.models import AddressHolding, Server
from servers.sla_rules import Span


def of(server: Server) -> list[Span]:
    """The planned work on this server of which whoever had it then got the mail in time; one query."""
    begins = OuterRef("update__interruption__starts_at")
    had = AddressHolding.objects.filter(Q(until=None) | Q(until__gt=begins), server=server, since__lte=begins)
    notices = InterruptionNotice.objects.filter(
        Exists(had.filter(account=OuterRef("account"))), update__what=Said.ANNOUNCED, mail__accepted_at__isnull=False,
        update__interruption__place=server.place, update__interruption__kind=Kind.PLANNED,
    ).exclude(update__interruption__state=State.CANCELLED)  # fmt: skip
    named = notices.filter(Q(update__interruption__servers=server) | Q(update__interruption__servers=None))
    notice = terms.version(server.subscription.terms_version).maintenance.notice
    found = []
    for row in named.select_related("update__interruption", "mail"):
        work = row.update.interruption
        if work.ends_at is None:
            continue
        span = rules.excused(
            Kind(work.kind), Span(work.starts_at, work.ends_at), told_at=row.mail.accepted_at, over_at=work.over_at,
            notice=notice,
        )  # fmt: skip
        found += [span] if span else []
    return found
