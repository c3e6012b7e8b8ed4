"""Forms of the customer's servers and keys."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from servers import keys
from servers.models import Server


class KeyForm(forms.Form):
    """A public key, and the servers it is to be put on."""

    name = forms.CharField(
        label=_("Name"), max_length=80, required=False, help_text=_("Such as: laptop. Empty: the key's own comment.")
    )
    public_key = forms.CharField(
        label=_("Public key"), max_length=keys.LONGEST,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false", "autocapitalize": "off"}),
        help_text=_("One line that starts with ssh-ed25519, ssh-rsa or ecdsa-sha2-, often in ~/.ssh/id_ed25519.pub."),
    )  # fmt: skip
    servers = forms.ModelMultipleChoiceField(
        label=_("Install on"), queryset=Server.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, servers: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["servers"].queryset = servers  # type: ignore[attr-defined]
        if not servers.exists():
            del self.fields["servers"]


class WarnForm(forms.Form):
    """The client's own threshold (SRV-5)."""

    warn_percent = forms.IntegerField(
        label=_("Warn me at (percent)"), min_value=1, max_value=1000, required=False,
        help_text=_("Besides the warnings everybody gets. Empty: no warning of your own."),
    )  # fmt: skip
