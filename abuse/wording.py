"""What the journal says of reports and cases."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update({
    "abuse.report.received": Wording(_("Report %(report)s received"), "inbox", "info"),
    "abuse.report.not_answered": Wording(
        _("Report %(report)s not answered by mail: its unproven sender has had enough mails today"), "mail-off"
    ),
    "abuse.report.read": Wording(_("Address and time named by staff"), "review"),
    "abuse.report.dismissed": Wording(_("Report dismissed"), "closed"),
    "abuse.reporter.changed": Wording(_("Reporter changed"), "edit"),
    "abuse.reporter.address_given": Wording(_("Reporter given an address of its own"), "key"),
    "abuse.case.opened": Wording(_("Case %(case)s opened"), "cases", "warn"),
    "abuse.case.reported": Wording(_("A report joined the case"), "link"),
    "abuse.case.t0": Wording(_("Notice accepted by the mail server: the clock starts"), "alarm", "warn"),
    "abuse.case.unnoticed": Wording(_("The notice reached nobody: the clock does not run"), "mail-off", "bad"),
    "abuse.case.notified_again": Wording(_("Notice sent again"), "mail"),
    "abuse.case.answered": Wording(_("Answer received: the clock stands"), "paused", "info"),
    "abuse.case.complained": Wording(_("Complaint received after the decision"), "scale", "warn"),
    "abuse.case.refused": Wording(_("Answer refused: the clock runs on"), "alarm", "warn"),
    "abuse.case.paused": Wording(_("Clock paused by staff"), "paused", "info"),
    "abuse.case.resumed": Wording(_("Clock runs again"), "alarm", "warn"),
    "abuse.case.resolved": Wording(_("Case resolved"), "check", "good"),
    "abuse.case.reversed": Wording(_("Case reversed"), "undo", "good"),
    "abuse.case.amends_made": Wording(_("Offer made for the ended subscription"), "scale", "good"),
    "abuse.case.server_suspended": Wording(_("Server suspended by staff"), "locked", "bad"),
    "abuse.step.decided": Wording(_("Step of the ladder decided"), "cases", "bad"),
    "abuse.step.effective": Wording(_("Step of the ladder in effect"), "ban", "bad"),
    "abuse.step.undone": Wording(_("Step of the ladder undone"), "undo", "good"),
    "abuse.step.held": Wording(_("Step kept back by the brake"), "hourglass", "warn"),
    "abuse.step.released": Wording(_("Step released by the second pair of eyes"), "approvals", "warn"),
})  # fmt: skip
