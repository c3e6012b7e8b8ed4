"""Infringement cases about the account's services, and answering them."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from abuse import actions
from abuse.models import Case
from panel.api import auth, idempotency, paging
from panel.core import clock
from tickets import conversation
from tickets import selectors as requests
from tickets.rules import Via

router = Router(tags=["cases"])


class CaseOut(Schema):
    reference: str
    kind: str
    state: str
    address: str
    server: str
    opened_at: datetime
    due_at: datetime | None = Field(description="The instant after which the next step comes, unless you answer.")
    closed_at: datetime | None
    ticket: str


class StepOut(Schema):
    step: str
    state: str
    decided_at: datetime | None
    effective_at: datetime | None
    undone_at: datetime | None


class MessageOut(Schema):
    id: int
    author: str
    text: str
    at: datetime


class CaseFull(CaseOut):
    steps: list[StepOut]
    messages: list[MessageOut]
    terms_version: str


class AnswerIn(Schema):
    text: str = Field(min_length=1, max_length=20_000)


def _fields(row: Case) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("reference", "kind", "state", "opened_at", "due_at", "closed_at")}
    return plain | {"address": row.address.ip, "server": row.server.reference, "ticket": row.ticket.number}


def _rows(asking: Any) -> Any:
    return Case.objects.visible_to(asking).select_related("address", "server", "ticket")


@router.get("", response=paging.Pages[CaseOut], summary="List cases")
def list_cases(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    return paging.page(_rows(auth.actor(request, actions.SEE)), paged, lambda row: CaseOut(**_fields(row)))


@router.get("/{reference}", response=CaseFull, summary="Get a case")
def get_case(request: HttpRequest, reference: str) -> CaseFull:
    """The case with the steps that were taken and its thread."""
    row = _rows(auth.actor(request, actions.SEE)).get(reference=reference)
    steps = [
        StepOut(
            step=one.rung,
            state=one.state,
            decided_at=one.decided_at,
            effective_at=one.effective_at,
            undone_at=one.undone_at,
        )
        for one in row.steps.filter(decided_at__isnull=False)
    ]
    lines = requests.thread(row.ticket, staff=False)
    messages = [
        MessageOut(id=line.message.pk, author=line.message.author_kind, text=line.text, at=line.message.at)
        for line in lines
    ]
    return CaseFull(**_fields(row), steps=steps, messages=messages, terms_version=row.terms_version)


@router.post("/{reference}/answer", response={201: CaseOut}, summary="Answer a case")
@idempotency.once(actions.ANSWER)
def answer_case(request: HttpRequest, reference: str, payload: AnswerIn) -> tuple[int, Schema]:
    """Your answer stands in the thread; in time, it stops the clock until it has been judged (ABU-9)."""
    asking = auth.actor(request, actions.ANSWER)
    row = _rows(asking).get(reference=reference)
    conversation.reply(row.ticket, payload.text, actor=asking, via=Via.API, now=clock.now())
    return 201, CaseOut(**_fields(_rows(asking).get(pk=row.pk)))
