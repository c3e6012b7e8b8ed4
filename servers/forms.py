"""Forms of the customer's servers and keys."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from invoicing.subscribing.ending_by_us import Ground
from servers import keys, rules
from servers.models import Server

GROUNDS = {
    Ground.ASKED: _("The customer asked us to"), Ground.BREACH: _("A breach, not corrected in time"),
    Ground.OURS: _("A reason of our own"),
}  # fmt: skip
"""Why staff ends a subscription with its server."""


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


class NameForm(forms.Form):
    """What a server is called and sorted by."""

    name = forms.CharField(
        label=_("Name"), max_length=rules.LONGEST_NAME, help_text=_("Its host name too, where the place can reach it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )  # fmt: skip
    labels = forms.CharField(
        label=_("Labels"), max_length=300, required=False,
        help_text=_("Words to find servers by, divided by commas, such as: production, shop."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )  # fmt: skip


class TypedForm(forms.Form):
    """The name of a server, typed by whoever is about to lose what is on it."""

    confirm = forms.CharField(
        max_length=rules.LONGEST_NAME,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["confirm"].label = _("Type %(name)s to confirm") % {"name": name}
        self.fields["confirm"].widget.attrs["data-typed"] = name


class RebuildForm(TypedForm):
    """Which system a server starts anew with."""

    image = forms.ChoiceField(label=_("System"))
    field_order = ("image", "confirm")

    def __init__(self, *args: Any, images: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["image"].choices = list(images.items())  # type: ignore[attr-defined]


class DestroyForForm(TypedForm):
    """Why staff destroys a server, as its owner reads it."""

    ground = forms.ChoiceField(label=_("Why"), choices=list(GROUNDS.items()))
    reason = forms.CharField(
        label=_("What the customer is told"), max_length=300, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The customer reads it: write in their language."),
    )  # fmt: skip
    field_order = ("ground", "reason", "confirm")
