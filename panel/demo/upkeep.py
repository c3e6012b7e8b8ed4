"""Maintenance and an incident of the demo world, as its status page tells them."""

from datetime import timedelta

from invoicing.models import Option
from invoicing.subscribing import changes
from panel.demo.people import Person
from panel.demo.walk import Walk
from servers.maintaining import interruptions
from servers.maintaining.interruptions import Plan, Words
from servers.maintaining.maintenance_rules import Kind
from servers.models import Server
from servers.safekeeping import copies, copy_rules

HOUR = timedelta(hours=1)


def incident(walk: Walk, place: str, admin: Person) -> None:
    """Something broke, was found and mended."""
    row = interruptions.announce(
        Plan(
            Kind.INCIDENT, place, Words("Slow network", "Réseau lent"),
            Words("Connections to some servers are slow since this morning. We are looking for the cause.",
                  "Les connexions à certains serveurs sont lentes depuis ce matin. Nous en cherchons la cause."),
            walk.now, mailed=False,
        ),
        actor=admin.actor, now=walk.now,
    )  # fmt: skip
    walk.on(minutes=40)
    said = Words("A faulty switch was found and is being replaced.", "Un commutateur défectueux est remplacé.")
    interruptions.note(row, said, mailed=False, actor=admin.actor, now=walk.now)
    walk.on(minutes=35)
    said = Words("The switch is replaced; everything is as fast as before.", "Le commutateur est remplacé.")
    interruptions.finish(row, said, actor=admin.actor, now=walk.now)


def backups_on_sale() -> None:
    """Its cloud can copy disks, so the levels of backup are sold."""
    Option.objects.filter(code__in=copy_rules.LEVELS).update(on_sale=True)


def backed_up(walk: Walk, customer: Person, name: str) -> None:
    """A server gets the second level of backup, and a snapshot before somebody works on it (SUB-14, SRV-8)."""
    server = Server.objects.select_related("subscription__package").get(account=customer.client, name=name)
    wished = changes.wished(server.subscription)
    options = {**wished.options, "vps-backup-2": 1}
    wish = changes.Wish(wished.package, wished.interval, options)
    changes.change(server.subscription, wish, key="demo backups", actor=customer.actor, now=walk.now)
    copies.snapshot(server, "before the new shop", actor=customer.actor, now=walk.now)
    walk.settle()


def maintenance(walk: Walk, place: str, admin: Person, *, title: Words, reason: Words, hours: float) -> None:
    """Planned work that begins in so many hours, and takes two."""
    begins = (walk.now + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    interruptions.announce(
        Plan(Kind.PLANNED, place, title, reason, begins, begins + 2 * HOUR), actor=admin.actor, now=walk.now
    )
    walk.settle()


HOSTS: dict[str, Words] = {
    "title": Words("New kernel on the hosts", "Nouveau noyau sur les hôtes"),
    "reason": Words(
        "The hosts get a new kernel. Each server is restarted once and is away for about five minutes.",
        "Les hôtes reçoivent un nouveau noyau. Chaque serveur est redémarré une fois, soit environ cinq minutes.",
    ),
}
SWITCHES: dict[str, Words] = {
    "title": Words("Replacement of two switches", "Remplacement de deux commutateurs"),
    "reason": Words(
        "Two switches are replaced by faster ones. Servers stay on; their network may be away for a minute or two.",
        "Deux commutateurs sont remplacés. Les serveurs restent allumés ; leur réseau peut manquer une à deux minutes.",
    ),
}
