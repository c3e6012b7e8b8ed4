"""Maintenance and an incident of the demo world, as its status page tells them."""

from datetime import timedelta

from panel.demo.people import Person
from panel.demo.walk import Walk
from servers.maintaining import interruptions
from servers.maintaining.interruptions import Plan, Words
from servers.maintaining.maintenance_rules import Kind

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
