"""Who may do what with accounts, contacts, tokens and approvals."""

from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action, Danger

_EVERY_ROLE = ("support", "billing", "abuse", "infrastructure")

SEE_PROFILE = Action("accounts.profile", _("Your profile"), permission="", roles=_EVERY_ROLE)
SECURITY = Action("accounts.security", _("Security"), permission="", roles=_EVERY_ROLE)
REPORT_LOSS = Action(
    "accounts.report_loss", _("Report a loss"), permission="", roles=_EVERY_ROLE, danger=Danger.CONFIRM
)
SWITCH = Action("accounts.switch", _("Switch account"), permission="", roles=_EVERY_ROLE)
EDIT_ACCOUNT = Action("accounts.edit", _("Change account data"), permission="account")
CONTACTS = Action("accounts.contacts", _("Contacts"), permission="contacts")
REMOVE_CONTACT = Action("accounts.contact_remove", _("Remove contact"), permission="contacts", danger=Danger.CONFIRM)
TOKENS = Action("accounts.tokens", _("API tokens"), permission="")
REVOKE_TOKEN = Action("accounts.token_revoke", _("Revoke API token"), permission="", danger=Danger.CONFIRM)
LEGAL = Action("accounts.legal", _("Legal documents"), public=True)
MAILBOX = Action("accounts.mailbox", _("Mails of this test installation"), public=True)

STAFF_CUSTOMERS = Action("accounts.staff_customers", _("Customers"), roles=_EVERY_ROLE)
STAFF_APPROVE = Action("accounts.staff_approve", _("Approvals"), roles=("abuse", "billing", "infrastructure"))
