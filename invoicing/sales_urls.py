"""The pages of quotes and of staff sales, for the two maps beside."""

from django.urls import path

from invoicing.accounting import figures_views, ledger_views, reconciling_views, statement_views
from invoicing.quoting import quote_views, staff_quote_views
from invoicing.selling_by_hand import sales_views

CUSTOMER = [
    path("billing/statement/", statement_views.statement, name="statement"),
    path("billing/quotes/", quote_views.quote_list, name="quote_list"),
    path("billing/quotes/<slug:reference>/", quote_views.quote_detail, name="quote_detail"),
    path("billing/quotes/<slug:reference>.pdf", quote_views.quote_pdf, name="quote_pdf"),
    path("billing/quotes/<slug:reference>/sign/", quote_views.quote_sign, name="quote_sign"),
    path("billing/quotes/<slug:reference>/decline/", quote_views.quote_decline, name="quote_decline"),
    path("billing/quotes/<slug:reference>/lines/<int:pk>/order/", quote_views.quote_order, name="quote_order"),
]
STAFF = [
    path("ledger/", ledger_views.chart, name="ledger"),
    path("ledger/accounts/<slug:code>/", ledger_views.account, name="ledger_account"),
    path("ledger/entries/<int:pk>/", ledger_views.entry, name="ledger_entry"),
    path("ledger/reconciliation/", reconciling_views.reconciliation, name="reconciliation"),
    path("ledger/reconciliation/compare/", reconciling_views.compare, name="compare"),
    path("ledger/reports/", figures_views.reports, name="reports"),
    path("customers/<slug:account>/statement/", statement_views.staff_statement, name="statement"),
    path("customers/<slug:account>/invoice/", sales_views.draft_new, name="draft_new"),
    path("customers/<slug:account>/payment/", sales_views.payment_new, name="payment_new"),
    path("customers/<slug:account>/paid-back/", sales_views.paid_back, name="paid_back"),
    path("received/<int:pk>/", sales_views.manual_payment, name="manual_payment"),
    path("received/unmet/<int:pk>/close/", sales_views.unmet_close, name="unmet_close"),
    path("drafts/<int:pk>/", sales_views.draft_detail, name="draft_detail"),
    path("drafts/<int:pk>.pdf", sales_views.draft_pdf, name="draft_pdf"),
    path("drafts/<int:pk>/lines/", sales_views.draft_line_add, name="draft_line_add"),
    path("drafts/<int:pk>/lines/<int:line>/remove/", sales_views.draft_line_remove, name="draft_line_remove"),
    path("drafts/<int:pk>/issue/", sales_views.draft_issue, name="draft_issue"),
    path("drafts/<int:pk>/discard/", sales_views.draft_discard, name="draft_discard"),
    path("payments/<slug:reference>/write-off/", sales_views.payment_write_off, name="payment_write_off"),
    path("invoices/<slug:number>/write-off/", sales_views.invoice_write_off, name="invoice_write_off"),
    path("customers/<slug:account>/quote/", staff_quote_views.quote_new, name="quote_new"),
    path("quotes/", staff_quote_views.quote_list, name="quote_list"),
    path("quotes/<slug:reference>/", staff_quote_views.quote_detail, name="quote_detail"),
    path("quotes/<slug:reference>.pdf", staff_quote_views.quote_pdf, name="quote_pdf"),
    path("quotes/<slug:reference>/lines/", staff_quote_views.quote_line_add, name="quote_line_add"),
    path("quotes/<slug:reference>/options/", staff_quote_views.quote_option_add, name="quote_option_add"),
    path(
        "quotes/<slug:reference>/lines/<int:pk>/remove/", staff_quote_views.quote_line_remove, name="quote_line_remove"
    ),
    path("quotes/<slug:reference>/change/", staff_quote_views.quote_change, name="quote_change"),
    path("quotes/<slug:reference>/stages/", staff_quote_views.quote_stages, name="quote_stages"),
    path("quotes/<slug:reference>/stages/<int:pk>/", staff_quote_views.quote_stage, name="quote_stage"),
    path("quotes/<slug:reference>/overrun/", staff_quote_views.quote_overrun, name="quote_overrun"),
    path("quotes/<slug:reference>/send/", staff_quote_views.quote_send, name="quote_send"),
    path("quotes/<slug:reference>/revise/", staff_quote_views.quote_revise, name="quote_revise"),
    path("quotes/<slug:reference>/withdraw/", staff_quote_views.quote_withdraw, name="quote_withdraw"),
]
