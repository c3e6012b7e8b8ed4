"""Forms of a server's network: one rule, the defaults, a ready-made list."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from servers.networking import firewall_wording as words
from servers.networking.firewall_rules import LONGEST_NOTE, Direction, Protocol, Verdict

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_MONO = {**_PLAIN, "class": "mono"}


class RuleForm(forms.Form):
    """One rule of the firewall."""

    direction = forms.ChoiceField(label=_("Direction"), choices=list(words.DIRECTIONS.items()), initial=Direction.IN)
    action = forms.ChoiceField(label=_("What happens"), choices=list(words.VERDICTS.items()), initial=Verdict.ACCEPT)
    protocol = forms.ChoiceField(label=_("Protocol"), choices=list(words.PROTOCOLS.items()), initial=Protocol.TCP)
    ports = forms.CharField(
        label=_("Ports"), max_length=200, required=False, widget=forms.TextInput(attrs=_MONO),
        help_text=_("Such as: 22, 80, 8000-8100. Empty: every port."),
    )  # fmt: skip
    peers = forms.CharField(
        label=_("From or to"), max_length=1000, required=False, widget=forms.TextInput(attrs=_MONO),
        help_text=_("Addresses or networks such as 192.0.2.0/24 or 2001:db8::/32. Empty: everybody."),
    )  # fmt: skip
    note = forms.CharField(
        label=_("Note"), max_length=LONGEST_NOTE, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("For you and your colleagues."),
    )  # fmt: skip


class DefaultsForm(forms.Form):
    """What happens to everything that no rule names."""

    default_in = forms.ChoiceField(label=_("Everything else coming in"), choices=list(words.VERDICTS.items()))
    default_out = forms.ChoiceField(label=_("Everything else going out"), choices=list(words.VERDICTS.items()))


class TemplateForm(forms.Form):
    """A ready-made list in place of the rules there are."""

    template = forms.ChoiceField(
        label=_("Ready-made list"), choices=[(name, title) for name, (title, _note) in words.TEMPLATES.items()],
    )  # fmt: skip
    peers = forms.CharField(
        label=_("Addresses of the database’s clients"), max_length=1000, required=False,
        widget=forms.TextInput(attrs=_MONO), help_text=_("Only for “Database from one address”."),
    )  # fmt: skip


class AddressForm(forms.Form):
    """Something about one of the server's addresses."""

    ip = forms.ChoiceField(label=_("Address"))

    def __init__(self, *args: Any, ips: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ip"].choices = [(ip, ip) for ip in ips]  # type: ignore[attr-defined]


class NameForm(AddressForm):
    """What an address is to be called."""

    name = forms.CharField(
        label=_("Name"), max_length=254, required=False, widget=forms.TextInput(attrs=_MONO),
        help_text=_("Such as: mail.example.com."),
    )  # fmt: skip


class PortForm(AddressForm):
    """Which port is to be tried, at which address."""

    port = forms.IntegerField(
        label=_("Port"), min_value=1, max_value=65_535, initial=25, widget=forms.NumberInput(attrs=_MONO)
    )


def given(form: forms.Form) -> dict[str, Any]:
    """What was sent, whether a choice was among ours or not: the rules say what is wrong."""
    return {name: form.data.get(name, "") for name in form.fields}
