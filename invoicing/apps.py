from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InvoicingConfig(AppConfig):
    name = "invoicing"
    verbose_name = _("Invoicing")

    def ready(self) -> None:
        """Sweeps, operation handlers, triggers and words register themselves when their module is imported."""
        from django.core import checks

        from invoicing import frame, platforms, vies, wording  # noqa: F401
        from invoicing.accounting import closings, reconciling  # noqa: F401
        from invoicing.banking import bank_files  # noqa: F401
        from invoicing.chasing import dunning, rejection_fees, suspending  # noqa: F401
        from invoicing.consuming import metered_kind, pack_expiry  # noqa: F401
        from invoicing.debiting import debit_wording, instead, mandate_signing, outcomes, pain008  # noqa: F401
        from invoicing.gateways import check_settings
        from invoicing.issuing import printing  # noqa: F401
        from invoicing.limiting import spending  # noqa: F401
        from invoicing.paying import (  # noqa: F401
            card_setup,
            collecting,
            disputes,
            means,
            payment_calls,
            payment_wording,
            reconcile_payments,
            refunds,
            rejections,
        )
        from invoicing.paying_out import asking, payout_wording  # noqa: F401
        from invoicing.quoting import quote_signing  # noqa: F401
        from invoicing.renewing import billing_runs  # noqa: F401
        from invoicing.reviewing import deciding  # noqa: F401
        from invoicing.selling_by_hand import giving_up, sales_wording, taking_back, writing_off  # noqa: F401
        from invoicing.subscribing import ordering  # noqa: F401
        from invoicing.taxing import reporting, tax_wording, transmitting, vat_checks  # noqa: F401
        from invoicing.transferring import transfers  # noqa: F401

        checks.register(check_settings)
        checks.register(vies.check_settings)
        checks.register(platforms.check_settings)
        checks.register(pain008.check_settings)
