"""What the managed service, its runs and updates are called, and what the journal says of them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording
from servers.managing.managed_rules import MAIL, WEB

Words = dict[str, str | Promise]

KINDS: Words = {"setup": _("Set up"), "patches": _("Updates")}
ROLES: Words = {
    "base": _("Hardening"), "patches": _("Updates by themselves"), "backup_agent": _("Preparation of backups"),
    WEB: _("Web server"), MAIL: _("Mail server"),
}  # fmt: skip
ROLES_MORE: Words = {
    "base": _("Log-in by key alone, a hardened network and kernel, no dumps of memory."),
    "patches": _("Updates are installed without a question asked; settings you changed stay."),
    "backup_agent": _("Whole dumps of databases and lists to rebuild by, each night."),
    WEB: _("nginx over HTTP and TLS, with a first page below /srv/www/default."),
    MAIL: _("IMAP and POP3 over TLS alone, SMTP that takes mail for your mailboxes."),
}

WORDINGS.update({
    "servers.managed.begun": Wording(_("Managed service begun"), "shield", "good"),
    "servers.managed.ended": Wording(_("Managed service ended"), "shield"),
    "servers.managed.chosen": Wording(_("Services of the managed server chosen"), "services"),
    "servers.managed.set_up": Wording(
        _("Managed server gone over: %(changed)s tasks changed something"), "check", "good"
    ),
    "servers.managed.patched": Wording(
        _("Updates looked for: %(installed)s due, %(waiting)s wait still"), "shield", "good"
    ),
    "servers.managed.failed": Wording(_("The managed server could not be gone over"), "failed", "bad"),
    "servers.managed.key_failed": Wording(_("The managed service’s key could not be changed"), "failed", "bad"),
    "servers.mailbox.set": Wording(_("Mailbox added or its password changed"), "mail"),
    "servers.mailbox.removed": Wording(_("Mailbox removed"), "mail-off"),
    "servers.update.required": Wording(_("Update required: %(update)s"), "alarm", "warn"),
    "servers.update.reminded": Wording(_("Reminder of the required update %(update)s"), "alarm", "warn"),
    "servers.update.due": Wording(_("Required update %(update)s not installed in time"), "alarm", "bad"),
    "servers.update.done": Wording(_("Required update %(update)s installed by the customer"), "check", "good"),
    "servers.update.installed": Wording(_("Required update %(update)s installed by us and billed"), "check"),
    "servers.update.withdrawn": Wording(_("Required update %(update)s taken back"), "undo"),
})  # fmt: skip
