"""What the accounts add to the frame: the person's own menu."""

from django.utils.translation import gettext_lazy as _

from panel.accounts import actions
from panel.core import shell
from panel.core.shell import MenuEntry
from panel.core.web import actor

shell.register_menu(
    MenuEntry(_("Your profile"), "accounts:profile", "user", 10),
    MenuEntry(_("Security"), "accounts:security", "shield", 20),
    MenuEntry(
        _("API tokens"), "accounts:tokens", "token", 30, allowed=lambda request: actions.TOKENS.permits(actor(request))
    ),
    MenuEntry(
        _("Account data"), "accounts:account_data", "customers", 40,
        allowed=lambda request: actions.EDIT_ACCOUNT.permits(actor(request)),
    ),
)  # fmt: skip
