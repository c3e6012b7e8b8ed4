"""Rows of the abuse desk: reporters and reports, cases with their steps and pauses, statements of reasons, notices."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from abuse import rules
from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class Kind(models.TextChoices):
    COPYRIGHT = rules.Kind.COPYRIGHT, _("Copyright")
    BLOCKLIST = rules.Kind.BLOCKLIST, _("Blocklist")
    SPAM = rules.Kind.SPAM, _("Spam")
    GENERAL = rules.Kind.GENERAL, _("Other infringement")


class Reporter(models.Model):
    """Somebody who reports. Only a trusted one's proven report starts a clock by itself (ABU-1)."""

    name = models.CharField(max_length=200)
    email = models.EmailField(unique=True)
    domain = models.CharField(max_length=255, blank=True, help_text="the domain whose signature proves this reporter")
    trusted = models.BooleanField(default=False)
    token_digest = models.CharField(max_length=64, blank=True, help_text="of its own secret address")
    accepted = models.PositiveIntegerField(default=0)
    dismissed = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["token_digest"], condition=~Q(token_digest=""), name="abuse_reporter_token_once"
            ),
        )
        indexes = (models.Index(fields=["domain"], name="abuse_reporter_domain"),)

    def __str__(self) -> str:
        return self.name or self.email


class Report(models.Model):
    """One report about one address, as read; kept whatever becomes of it. Personal values stand in ReportBody."""

    class State(models.TextChoices):
        WAITING = "waiting", _("To be looked at")
        JOINED = "joined", _("Joined a case")
        UNMATCHED = "unmatched", _("No holder found")
        DISMISSED = "dismissed", _("Dismissed")

    reference = models.CharField(max_length=20, unique=True)
    dedupe = models.CharField(
        max_length=64, unique=True, help_text="of reporter, reference, address and time, or the mail"
    )
    received_at = models.DateTimeField()
    channel = models.CharField(max_length=8, help_text="mail, form, api")
    reader = models.CharField(max_length=20, blank=True)
    category = models.CharField(max_length=12, choices=Kind.choices, default=Kind.GENERAL)
    subtype = models.CharField(max_length=60, blank=True)
    source_ip = models.GenericIPAddressField(null=True)
    source_port = models.PositiveIntegerField(null=True)
    happened_from = models.DateTimeField(null=True)
    happened_to = models.DateTimeField(null=True)
    precision = models.CharField(max_length=10, default="unknown")
    confidence = models.CharField(max_length=8, default="unsure")
    proof = models.CharField(max_length=8, default="unknown", help_text="dkim, token, unknown")
    reporter = models.ForeignKey(Reporter, models.PROTECT, null=True, related_name="reports")
    reporter_ref = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=5, blank=True)
    copies = models.PositiveIntegerField(default=1, help_text="how often the very same report came in")
    good_faith = models.BooleanField(null=True, help_text="DSA Art. 16(2)(d); None where the channel cannot ask")
    problems = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    why = models.CharField(max_length=40, blank=True, help_text="the code why it waits or was dismissed")
    case = models.ForeignKey("abuse.Case", models.PROTECT, null=True, related_name="reports")
    alone = models.BooleanField(default=True, help_text="the only item of its message")
    decided_at = models.DateTimeField(null=True)
    decided_by_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ("-received_at", "-id")
        indexes = (
            models.Index(
                fields=["received_at"], name="abuse_report_queue", condition=Q(state__in=["waiting", "unmatched"])
            ),
            models.Index(fields=["source_ip", "-received_at"], name="abuse_report_ip"),
            models.Index(fields=["-received_at"], name="abuse_report_recent"),
        )

    def __str__(self) -> str:
        return self.reference


class ReportBody(models.Model):
    """The erasable part of a report: who wrote it, in which words, with what evidence, and the original."""

    report = models.OneToOneField(Report, models.CASCADE, primary_key=True, related_name="body")
    original = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")
    reporter_name = models.CharField(max_length=200, blank=True)
    reporter_email = models.CharField(max_length=254, blank=True)
    title = models.CharField(max_length=300, blank=True)
    explanation = models.TextField(blank=True)
    work = models.CharField(max_length=500, blank=True)
    right_holder = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    written_time = models.CharField(max_length=200, blank=True, help_text="the event's time as the reporter wrote it")
    evidence = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"body of {self.report_id}"


class Case(models.Model):
    """One infringement of one customer's address: its clock, its thread (a ticket), its steps (ABU-1..ABU-12)."""

    class State(models.TextChoices):
        NOTIFYING = rules.State.NOTIFYING, _("Notice being sent")
        RUNNING = rules.State.RUNNING, _("Clock running")
        ANSWERED = rules.State.ANSWERED, _("Answered, clock paused")
        PAUSED = rules.State.PAUSED, _("Clock paused")
        RESOLVED = rules.State.RESOLVED, _("Resolved")
        TERMINATED = rules.State.TERMINATED, _("Subscription terminated")
        REVERSED = rules.State.REVERSED, _("Reversed")

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="cases")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.NOTIFYING)
    ticket = models.OneToOneField("tickets.Ticket", models.PROTECT, related_name="case")
    address = models.ForeignKey("servers.Address", models.PROTECT, related_name="cases")
    server = models.ForeignKey("servers.Server", models.PROTECT, related_name="cases")
    subscription = models.ForeignKey("invoicing.Subscription", models.PROTECT, related_name="cases")
    repeats = models.ForeignKey("self", models.PROTECT, null=True, related_name="repeated_by")
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=10, help_text="clock (a trusted report) or person")
    t0 = models.DateTimeField(null=True, help_text="the notice accepted by the outgoing mail server (ABU-2)")
    unnoticed_at = models.DateTimeField(null=True, help_text="when every notice had failed; staff must act")
    due_at = models.DateTimeField(null=True, help_text="the instant after which the next step is due")
    closed_at = models.DateTimeField(null=True)
    terms_version = models.CharField(max_length=60)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "address", "kind"], condition=Q(closed_at__isnull=True), name="abuse_case_one_open"
            ),
        )
        indexes = (
            models.Index(fields=["due_at"], name="abuse_case_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["account", "-opened_at"], name="abuse_case_account"),
            models.Index(fields=["-opened_at"], name="abuse_case_recent"),
        )

    def __str__(self) -> str:
        return self.reference

    def facts(self) -> rules.CaseFacts:
        """All that the verdict depends on, read from the rows."""
        steps = [step for step in self.steps.order_by("pk") if step.state != CaseStep.State.OVERTAKEN]
        return rules.CaseFacts(
            kind=self.kind,
            opened_at=self.opened_at,
            t0=self.t0,
            closed=self.state not in rules.OPEN,
            stops=tuple(rules.Stop(p.since, p.until, p.grace) for p in self.pauses.order_by("since", "pk")),
            taken=tuple(
                rules.Taken(rules.Rung(step.rung), step.decided_at, step.effective_at, step.undone_at)
                for step in steps
                if step.decided_at is not None
            ),
            holds=tuple(
                rules.Hold(rules.Rung(step.rung), step.released_at)
                for step in steps
                if step.held_at is not None and step.decided_at is None
            ),
        )


class CaseStep(models.Model):
    """One step of the ladder, at most once per case (a further attempt only after one that an answer had overtaken)."""

    class State(models.TextChoices):
        HELD = "held", _("Waiting for release")
        DECIDED = "decided", _("Decided")
        EFFECTIVE = "effective", _("In effect")
        UNDONE = "undone", _("Undone")
        OVERTAKEN = "overtaken", _("Undone, an answer had come in time")

    case = models.ForeignKey(Case, models.PROTECT, related_name="steps")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    rung = models.CharField(max_length=12, choices=[(rung, rung) for rung in rules.Rung])
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices)
    due_at = models.DateTimeField(help_text="the deadline that was missed")
    held_at = models.DateTimeField(null=True)
    held_because = models.CharField(max_length=20, blank=True, help_text="many, gap, protected, not_held, has_ended")
    approval = models.ForeignKey("accounts.Approval", models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    automatic = models.BooleanField(default=True)
    effective_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    amends_at = models.DateTimeField(
        null=True, help_text="when staff had offered something for a termination that was undone too late (ABU-10)"
    )
    restriction = models.OneToOneField("accounts.Restriction", models.PROTECT, null=True, related_name="case_step")
    fee_key = models.CharField(max_length=80, blank=True, help_text="what the fee was charged under, once (ABU-11)")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=["case", "rung", "attempt"], name="abuse_step_once"),)
        indexes = (models.Index(fields=["decided_at"], name="abuse_step_decided"),)

    def __str__(self) -> str:
        return f"{self.case_id} {self.rung}"

    @property
    def once(self) -> str:
        """The key of the step's restriction, fee and statement."""
        again = f":{self.attempt}" if self.attempt > 1 else ""
        return f"{self.case.reference}:{rules.RULES[rules.Rung(self.rung)]}{again}"


# steps whose termination was undone, and nobody has offered the customer anything yet
OWED = Q(rung=rules.Rung.TERMINATE, state=CaseStep.State.UNDONE, effective_at__isnull=False, amends_at=None)


class Pause(models.Model):
    """A stretch in which the clock stands (ABU-9)."""

    class Reason(models.TextChoices):
        ANSWER = "answer", _("Answer under judgement")
        COMPLAINT = "complaint", _("Complaint under judgement")
        STAFF = "staff", _("Paused by staff")

    case = models.ForeignKey(Case, models.PROTECT, related_name="pauses")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    reason = models.CharField(max_length=10, choices=Reason.choices)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    grace = models.DurationField(help_text="what a refusal gave beyond what was left")
    outcome = models.CharField(max_length=10, blank=True, help_text="accepted, refused, ended")
    message = models.ForeignKey("tickets.Message", models.PROTECT, null=True, related_name="+")
    judged_by_id = models.BigIntegerField(null=True)
    note = models.TextField(blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["case", "reason"], condition=Q(until__isnull=True), name="abuse_pause_one_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.reason} {self.since:%Y-%m-%d %H:%M}"


class Statement(models.Model):
    """A statement of reasons (DSA Art. 17), written before the restriction begins. Never changed: a correction is a new
    one that names the old (ABU-10)."""

    reference = models.CharField(max_length=20, unique=True)
    key = models.CharField(max_length=120, unique=True)
    case = models.ForeignKey(Case, models.PROTECT, related_name="statements")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    written_at = models.DateTimeField()
    restriction_type = models.CharField(max_length=20, help_text="(a) what is restricted")
    target = models.CharField(max_length=200)
    territory = models.CharField(max_length=40, default="worldwide")
    starts_at = models.DateTimeField()
    duration = models.CharField(max_length=200)
    facts = models.TextField(help_text="(b) facts and circumstances")
    trigger = models.CharField(max_length=20, help_text="(b) notice (Art. 16), own initiative, authority")
    automated_detection = models.BooleanField(help_text="(c)")
    automated_decision = models.BooleanField(help_text="(c)")
    legal_ground = models.TextField(blank=True, help_text="(d)")
    contract_ground = models.CharField(max_length=200, help_text="(e) the clause")
    explanation = models.TextField(help_text="(e) why it applies")
    redress = models.TextField(help_text="(f)")
    language = models.CharField(max_length=5)
    text_version = models.CharField(max_length=20)
    supersedes = models.ForeignKey("self", models.PROTECT, null=True, related_name="superseded_by")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.reference


class CourtesyCount(models.Model):
    """How many mails a day went to an address, or a domain, that proved nothing (a digest of it)."""

    day = models.DateField(help_text="UTC")
    digest = models.CharField(max_length=64)
    sent = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["day", "digest"], name="abuse_courtesy_once"),)

    def __str__(self) -> str:
        return f"{self.day} {self.sent}"


class Notice(models.Model):
    """A mail of the opening notice to one person of the account; T0 hangs on its acceptance (ABU-2)."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="notices")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    mail = models.OneToOneField("core.MailMessage", models.PROTECT, related_name="+")
    bounced_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.case_id} {self.user_id}"


triggers.append_only("abuse_statement")
