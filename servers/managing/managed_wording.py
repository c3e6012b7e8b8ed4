"""What the managed service, its runs and updates are called, and what the journal says of them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

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

TASKS = (
    gettext_noop("A certificate to begin with"),
    gettext_noop("A first page"),
    gettext_noop("Installing asks no questions"),
    gettext_noop("It begins with the machine"),
    gettext_noop("It is right what it will read"),
    gettext_noop("It runs"),
    gettext_noop("It runs, and will after each start"),
    gettext_noop("Its directory"),
    gettext_noop("Its first site, over HTTP and TLS"),
    gettext_noop("Its key is for root alone"),
    gettext_noop("Its settings are those of dovecot 2.3"),
    gettext_noop("Its timer"),
    gettext_noop("Its unit"),
    gettext_noop("Its version"),
    gettext_noop("Log-in by key alone"),
    gettext_noop("No core dumps, which may hold secrets"),
    gettext_noop("Packages are installed by apt"),
    gettext_noop("Passwords are for root’s eyes"),
    gettext_noop("Settings of dovecot"),
    gettext_noop("Settings of postfix"),
    gettext_noop("The agent"),
    gettext_noop("The directory of the certificate"),
    gettext_noop("The kernel drops what no honest packet needs"),
    gettext_noop("The mail server"),
    gettext_noop("The mailboxes"),
    gettext_noop("The package lists are fresh"),
    gettext_noop("The updates that are due"),
    gettext_noop("The web server"),
    gettext_noop("Tools that everything else needs"),
    gettext_noop("What kind of system it is"),
    gettext_noop("What the web server tells of itself"),
    gettext_noop("What waits still"),
    gettext_noop("Where mail lies"),
    gettext_noop("Where pages lie"),
    gettext_noop("Whether a restart of the machine is wanted"),
    gettext_noop("Whose mail is"),
    gettext_noop("Whose mail it is"),
    gettext_noop("dovecot reads its settings"),
    gettext_noop("postfix reads its settings"),
    gettext_noop("sshd reads its settings"),
    gettext_noop("the kernel reads its settings"),
    gettext_noop("the web server reads its settings"),
)
"""What tasks of the roles are called (`ansible/managed`), for catalogues to translate."""

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
