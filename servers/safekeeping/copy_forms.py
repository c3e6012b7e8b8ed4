"""Forms of a server's copies: a snapshot's name, and the rhythm of the personalised level."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from panel.terms.numbers import BackupTerms
from servers.safekeeping import copy_wording
from servers.safekeeping.copy_rules import LONGEST_NAME


class SnapshotForm(forms.Form):
    """A snapshot to be taken now."""

    name = forms.CharField(
        label=_("Name of the snapshot"), max_length=LONGEST_NAME, help_text=_("Such as: before the update."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip


class RhythmForm(forms.Form):
    """The rhythm of the personalised level."""

    every_hours = forms.TypedChoiceField(label=_("A backup"), coerce=int)
    keep_days = forms.IntegerField(label=_("Keep each for (days)"), min_value=1)

    def __init__(self, *args: Any, law: BackupTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(hours, copy_wording.rhythm(hours)) for hours in law.own_every_hours]
        self.fields["every_hours"].choices = choices  # type: ignore[attr-defined]
        days = self.fields["keep_days"]
        days.max_value = law.own_most_days  # type: ignore[attr-defined]
        days.help_text = _("At most %(most)s.") % {"most": law.own_most_days}
