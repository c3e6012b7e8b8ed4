"""Errors as RFC 9457 problems: one shape for everything that can go wrong, with a sentence that may be shown."""

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from panel.core.errors import RuleViolation

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class TooMany(Exception):
    """The limit is used up; look again in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


class NotReady(Exception):
    """What was asked for is being made; look again in `seconds`."""

    def __init__(self, seconds: int, detail: str) -> None:
        super().__init__(detail)
        self.seconds = seconds
        self.detail = detail


def body(status: int, kind: str, detail: str = "", **more: Any) -> dict[str, Any]:
    """A problem's members; `more` are extensions such as `rule` and `errors`."""
    made = {
        "type": f"urn:clause:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return made | {name: value for name, value in more.items() if value}


def answer(status: int, kind: str, detail: str = "", **more: Any) -> HttpResponse:
    """A problem as a response."""
    return JsonResponse(body(status, kind, detail, **more), status=status, content_type=MEDIA_TYPE)


def of_rule(refusal: RuleViolation) -> dict[str, Any]:
    """A refusal by a rule: 422 when a field was wrong, 409 when the state forbids it."""
    status = 422 if refusal.field else 409
    return body(status, "rule", refusal.sentence, rule=refusal.rule, field=refusal.field)


def install(api: NinjaAPI) -> None:
    """Give `api` a handler for everything its endpoints let through."""
    handlers: dict[type[Exception], Any] = {
        RuleViolation: _rule, ValidationError: _invalid, AuthenticationError: _unknown, PermissionDenied: _forbidden,
        Http404: _missing, ObjectDoesNotExist: _missing, TooMany: _too_many, NotReady: _not_ready, HttpError: _http,
        Exception: _fault,
    }  # fmt: skip
    for exception, handler in handlers.items():
        api.add_exception_handler(exception, handler)


def _rule(request: HttpRequest, refusal: RuleViolation) -> HttpResponse:
    made = of_rule(refusal)
    return JsonResponse(made, status=made["status"], content_type=MEDIA_TYPE)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {"field": ".".join(str(part) for part in one["loc"] if part != "payload"), "detail": one["msg"]}
        for one in error.errors
    ]
    return answer(422, "validation", "The request does not have the shape this address expects.", errors=errors)


def _unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = answer(401, "token", "A valid token is needed: Authorization: Bearer clause_...")
    response["WWW-Authenticate"] = 'Bearer realm="clause"'
    return response


def _forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return answer(403, "permission", "This token, or its person, may not do this.")


def _missing(request: HttpRequest, error: Exception) -> HttpResponse:
    return answer(404, "missing", "There is no such object, or it is not yours.")


def _too_many(request: HttpRequest, error: TooMany) -> HttpResponse:
    response = answer(429, "limit", "Too many requests; look again later.")
    response["Retry-After"] = str(error.seconds)
    return response


def _not_ready(request: HttpRequest, error: NotReady) -> HttpResponse:
    response = answer(409, "not-ready", error.detail)
    response["Retry-After"] = str(error.seconds)
    return response


def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    return answer(error.status_code, "request", str(error))


def _fault(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("api: %s %s", request.method, request.path, exc_info=error)
    return answer(500, "fault", "Something failed on our side. With an Idempotency-Key it is safe to ask again.")
