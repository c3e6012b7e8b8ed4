"""What is said of additional addresses."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from servers.addressing.address_rules import MOST_ON_ONE, WhyNot

SENTENCES: dict[str, str | Promise] = {
    WhyNot.FIRST: _("This is the address that came with its server; it stays there."),
    WhyNot.THERE: _("The address is there already."),
    WhyNot.MOVING: _("The address is on its way already."),
    WhyNot.RESTRICTED: _("The address is restricted at the moment, and stays where it is until that has ended."),
    WhyNot.ENDS: _("The server that the address was ordered with has ended."),
    WhyNot.NOT_READY: _("The server must be running or stopped to get an address."),
    WhyNot.OTHER_PLACE: _("An address goes to servers of its own place only."),
    WhyNot.OTHER_ACCOUNT: _("This server is not among yours."),
    WhyNot.NOT_YOURS: _("Nobody of this account holds the address any more."),
    WhyNot.NOT_HERE: _("This place cannot move addresses between servers."),
    WhyNot.TARGET_RESTRICTED: _("The server is restricted at the moment; its addresses stay as they are."),
    WhyNot.BUSY: _("Another action on this server is still under way."),
    WhyNot.FULL: _("A server has at most %(most)s addresses.") % {"most": MOST_ON_ONE},
}
