"""Anybody's report of an infringement (DSA Art. 16): no token, a tight limit."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import AfterValidator, AwareDatetime, Field, IPvAnyAddress

from abuse import intake
from abuse.reports import Category, Confidence, Precision, ReportDraft, Source, Span
from panel.accounts.middleware import client_ip, neighbourhood
from panel.api import limits
from panel.core import clock

router = Router(tags=["reports"])


def _mailbox(text: str) -> str:
    """As the form has it; a mail is sent there."""
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError("this is not an e-mail address") from error
    return text.lower()


class ReportIn(Schema):
    category: Literal["copyright", "spam", "blocklist", "general"] = "general"
    address: IPvAnyAddress = Field(description="The IP address the infringement comes from.")
    port: int | None = Field(None, ge=1, le=65535)
    url: str = Field("", max_length=2000)
    happened_at: AwareDatetime | None = Field(None, description="When it was seen, with its time zone.")
    explanation: str = Field(min_length=20, max_length=20_000)
    work: str = Field("", max_length=500, description="For copyright: the work that is infringed.")
    right_holder: str = Field("", max_length=200)
    reporter_name: str = Field("", max_length=200)
    reporter_email: Annotated[
        str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_mailbox)
    ]
    reporter_reference: str = Field("", max_length=120)
    good_faith: bool = Field(description="You believe in good faith that the report is accurate and complete.")


class ReportOut(Schema):
    reference: str
    received_at: datetime
    state: str


@router.post("", response={201: list[ReportOut]}, auth=None, summary="Report an infringement")
def report(request: HttpRequest, payload: ReportIn) -> Any:
    """Received, acknowledged by e-mail and looked at by a person before anything happens to anybody (ABU-1)."""
    now = clock.now()
    limits.spend(request, limits.REPORTS, neighbourhood(client_ip(request)), now=now)
    seen = payload.happened_at
    draft = ReportDraft(
        category=Category(payload.category), sources=(Source(str(payload.address), payload.port, payload.url),),
        happened=Span(seen, seen, Precision.SECOND, seen.isoformat()) if seen else None, confidence=Confidence.CERTAIN,
        reporter_email=payload.reporter_email, reporter_name=payload.reporter_name,
        reporter_ref=payload.reporter_reference, explanation=payload.explanation, work=payload.work,
        right_holder=payload.right_holder,
    )  # fmt: skip
    made = intake.submit(draft, channel="api", good_faith=payload.good_faith, now=now)
    return Status(
        201, [ReportOut(reference=row.reference, received_at=row.received_at, state=row.state) for row in made]
    )
