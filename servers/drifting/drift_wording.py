"""What is said of findings that a person decides on."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from servers.drifting.drift_rules import Decision, WhyNot

LABELS: Mapping[Decision, str | Promise] = {
    Decision.REMOVE: _("Remove this machine"),
    Decision.ADOPT: _("Take this machine on"),
    Decision.REMAKE: _("Make the machine anew"),
    Decision.TRUST: _("Trust the new key"),
}
ICONS: Mapping[Decision, str] = {
    Decision.REMOVE: "trash", Decision.ADOPT: "server", Decision.REMAKE: "undo", Decision.TRUST: "key"
}  # fmt: skip
ELSEWHERE: Mapping[Decision, str | Promise] = {
    Decision.ADOPT: _(
        "It becomes the machine of this server: its disk, its host key, its power and its addresses are what counts "
        "from then on. Addresses that only the lost machine had go back."
    ),
    Decision.REMAKE: _(
        "A new machine is made at the same place with the same size, system and keys. The place chooses its address, "
        "which can be another one; the old one goes back. Everything that was on the old disk stays lost; the latest "
        "backup can be put back afterwards. The customer is told by mail."
    ),
}
"""The effects where the place chooses the addresses itself."""
EFFECTS: Mapping[Decision, str | Promise] = {
    Decision.REMOVE: _(
        "The place is asked to remove it with its disk, after a last look that it still belongs to no server."
    ),
    Decision.ADOPT: _(
        "It becomes the machine of this server: its disk, its host key and its power are what counts from then on."
    ),
    Decision.REMAKE: _(
        "A new machine is made at the same place with the same size, system, addresses and keys. Everything that was "
        "on the old disk stays lost; the latest backup can be put back afterwards. The customer is told by mail."
    ),
    Decision.TRUST: _(
        "It is asked for once more, and believed if it is the same. Compare it first with what its owner says: whoever "
        "answers in the server’s place would show a new key too."
    ),
}
SENTENCES: Mapping[WhyNot, str | Promise] = {
    WhyNot.SETTLED: _("This finding is settled."),
    WhyNot.UNDER_WAY: _("It has been decided; the place is being asked."),
    WhyNot.NOT_OFFERED: _("That does not help with this finding."),
    WhyNot.BUSY: _("Something else is still under way on this server."),
    WhyNot.ENDS: _("The server is ending, or has ended."),
    WhyNot.SUSPENDED: _("The server is suspended: lift what suspends it first, or let it end."),
    WhyNot.IN_USE: _("The server has its own machine, which is there."),
    WhyNot.NO_KEY: _("Which key it shows is not known yet."),
}
DONE: Mapping[Decision, str | Promise] = {
    Decision.REMOVE: _("The place is being asked to remove it."),
    Decision.ADOPT: _("The machine is being taken on."),
    Decision.REMAKE: _("The machine is being made anew; its owner is told."),
    Decision.TRUST: _("The machine is asked once more for its key."),
}
