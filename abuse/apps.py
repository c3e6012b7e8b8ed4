"""Infringements: reports in, cases with their ladder, enforcement, statements of reasons."""

from django.apps import AppConfig


class AbuseConfig(AppConfig):
    name = "abuse"
    label = "abuse"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from abuse import (  # noqa: F401
            actions,
            answers,
            authenticity,
            brake,
            cases,
            courtesy,
            decisions,
            delivery,
            escalation,
            shell,
            wording,
        )
        from abuse.answers import Infringement
        from domains.dns.resolver import DnsResolver
        from invoicing.subscribing import kinds as services
        from tickets import kinds, mailbox

        kinds.register("infringement", Infringement())
        services.object_to_transfers(cases.objection_to_transfer)
        mailbox.signatures_by(lambda letter: authenticity.is_signed(letter, DnsResolver()))
