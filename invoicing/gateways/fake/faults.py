"""Errors in the shape Stripe gives them."""

from __future__ import annotations

from typing import Any


class Fault(Exception):
    """An answer that is an error. What was done before it is rolled back."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "type": kind}
        if code:
            self.body["code"] = code
            self.body["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.body["param"] = param
        self.body.update(more)


class CardFault(Fault):
    """A refusal by the bank: status 402. The attempt and its traces stay (they are committed)."""

    def __init__(self, message: str, *, code: str, decline_code: str = "", **more: Any) -> None:
        if decline_code:
            more["decline_code"] = decline_code
        super().__init__(message, status=402, kind="card_error", code=code, **more)


def missing(kind: str, ref: str, param: str = "id") -> Fault:
    return Fault(
        f"No such {kind.replace('checkout.session', 'checkout session')}: '{ref}'",
        code="resource_missing",
        status=404 if param == "id" else 400,
        param=param,
    )
