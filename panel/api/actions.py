"""The address of the API itself; each endpoint asks the action of the page that does the same."""

from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action

USE = Action("api.use", _("Use the API"), public=True)
