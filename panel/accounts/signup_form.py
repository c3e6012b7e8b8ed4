"""allauth's sign-up form, made all or nothing: user, account and acceptance are written together or not at all
(ACC-1)."""

from typing import Any

from allauth.account.forms import SignupForm as AllauthSignupForm
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from panel.core.errors import RuleViolation


class WholeSignupForm(AllauthSignupForm):  # type: ignore[misc]
    """A refusal inside the sign-up (two of the same company at once: ACC-5) leaves nothing behind and shows the form
    again."""

    def try_save(self, request: HttpRequest) -> Any:
        try:
            with transaction.atomic():
                return super().try_save(request)
        except RuleViolation as refusal:
            self.add_error(refusal.field if refusal.field in self.fields else None, refusal.sentence)
            return None, render(request, "account/signup.html", {"form": self}, status=409)
