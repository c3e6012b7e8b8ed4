"""Idempotency-Key: the same key and body give the same answer, however often they are sent; another body is refused."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Schema

from panel.api import auth, problems
from panel.core import clock, due
from panel.core.actions import Action
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import RequestKey

LONGEST = 120
KEPT = timedelta(days=2)
ABANDONED = timedelta(minutes=2)  # a first request that never ended; the use cases themselves do nothing twice


Endpoint = Callable[..., tuple[int, Schema]]


def once(action: Action) -> Callable[[Endpoint], Callable[..., Any]]:
    """An endpoint that returns (status, schema) and is carried out once per Idempotency-Key of the account. A refusal
    by a rule is an answer too; a fault is not, so that the request can be sent again. PermissionDenied for who may not
    do `action`, whatever was answered to others."""

    def decorated(endpoint: Endpoint) -> Callable[..., Any]:
        return _once(endpoint, action)

    return decorated


def _once(endpoint: Endpoint, action: Action) -> Callable[..., Any]:
    @wraps(endpoint)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        auth.actor(request, action)
        key = request.headers.get("Idempotency-Key", "").strip()
        if not key:
            return _answered(endpoint, request, args, kwargs)
        if len(key) > LONGEST:
            raise RuleViolation(f"An Idempotency-Key has at most {LONGEST} characters.", field="Idempotency-Key")
        row, known = _claim(request, key, now=clock.now())
        if known is not None:
            return known
        try:
            status, body = _answered(endpoint, request, args, kwargs, plain=True)
        except BaseException:
            RequestKey.objects.filter(pk=row.pk).delete()
            raise
        RequestKey.objects.filter(pk=row.pk).update(status=status, answer=body)
        return _response(status, body)

    return wrapped


def _answered(endpoint: Any, request: HttpRequest, args: Any, kwargs: Any, *, plain: bool = False) -> Any:
    try:
        status, made = endpoint(request, *args, **kwargs)
        body = made.model_dump(mode="json")
    except RuleViolation as refusal:
        body = problems.of_rule(refusal)
        status = body["status"]
    return (status, body) if plain else _response(status, body)


def _claim(request: HttpRequest, key: str, *, now: datetime) -> tuple[RequestKey, HttpResponse | None]:
    """Ours to carry out (row, None), or what was answered before."""
    asking: Actor = request.auth  # type: ignore[attr-defined]
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()
    row = RequestKey(scope=f"api:{asking.account_id}", key=key, digest=digest, created_at=now)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
        return row, None
    except IntegrityError:
        known = RequestKey.objects.get(scope=row.scope, key=key)
    if known.digest != digest:
        return known, problems.answer(422, "idempotency", "This Idempotency-Key was used with another request.")
    if known.status:
        response = _response(known.status, known.answer)
        response["Idempotency-Replayed"] = "true"
        return known, response
    stale = RequestKey.objects.filter(
        pk=known.pk, status=0, created_at=known.created_at, created_at__lt=now - ABANDONED
    )
    if stale.update(created_at=now):
        return known, None
    response = problems.answer(409, "idempotency", "The first request with this key is still being carried out.")
    response["Retry-After"] = "2"
    return known, response


def _response(status: int, body: dict[str, Any]) -> HttpResponse:
    media = problems.MEDIA_TYPE if status >= 400 else "application/json; charset=utf-8"
    return JsonResponse(body, status=status, content_type=media)


@due.sweep("api.forget", every_seconds=3600)
def forget(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Answers are kept for `KEPT`; a key may be used anew afterwards."""
    old = RequestKey.objects.filter(scope__startswith="api:", created_at__lt=now - KEPT)
    if dry_run:
        return due.SweepReport(would=[f"forget {old.count()} answers"])
    return due.SweepReport(done=old.delete()[0])
