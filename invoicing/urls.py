"""The customer's pages of services and billing."""

from django.urls import path

from invoicing import billing_views, debit_urls, sales_urls, views
from invoicing.chasing import dunning_views
from invoicing.consuming import pack_views, usage_views
from invoicing.funding import funds_views
from invoicing.limiting import limit_views
from invoicing.subscribing import change_views, pause_views
from invoicing.transferring import transfer_views

app_name = "invoicing"
urlpatterns = [
    *sales_urls.CUSTOMER,
    *debit_urls.CUSTOMER,
    path("services/", views.catalogue_page, name="catalogue"),
    path("services/order/<slug:package>/", views.order_new, name="order_new"),
    path("services/order/<slug:package>/price/", views.order_price, name="order_price"),
    path("services/orders/<slug:reference>/", views.order_detail, name="order_detail"),
    path("services/orders/<slug:reference>/status/", views.order_status, name="order_status"),
    path("services/orders/<slug:reference>/pay/", views.order_pay, name="order_pay"),
    path("services/orders/<slug:reference>/pay-from-funds/", funds_views.order_pay_funds, name="order_pay_funds"),
    path("services/orders/<slug:reference>/cancel/", views.order_cancel, name="order_cancel"),
    path("services/orders/<slug:reference>/pro-forma.pdf", views.order_pro_forma, name="order_pro_forma"),
    path("services/packs/", pack_views.pack_list, name="pack_list"),
    path("services/packs/<slug:package>/", pack_views.pack_order, name="pack_order"),
    path("services/subscriptions/", views.subscription_list, name="subscription_list"),
    path("services/subscriptions/<slug:reference>/", views.subscription_detail, name="subscription_detail"),
    path(
        "services/subscriptions/<slug:reference>/change/", change_views.subscription_change, name="subscription_change"
    ),
    path(
        "services/subscriptions/<slug:reference>/change/price/", change_views.subscription_change_price,
        name="subscription_change_price",
    ),
    path(
        "services/subscriptions/<slug:reference>/change/undo/", change_views.subscription_change_undo,
        name="subscription_change_undo",
    ),
    path("services/subscriptions/<slug:reference>/end/", change_views.subscription_end, name="subscription_end"),
    path(
        "services/subscriptions/<slug:reference>/end/price/", change_views.subscription_end_price,
        name="subscription_end_price",
    ),
    path(
        "services/subscriptions/<slug:reference>/order-number/", change_views.order_number, name="order_number"
    ),
    path("services/subscriptions/<slug:reference>/keep/", change_views.subscription_keep, name="subscription_keep"),
    path("services/subscriptions/<slug:reference>/pause/", pause_views.subscription_pause, name="subscription_pause"),
    path(
        "services/subscriptions/<slug:reference>/resume/", pause_views.subscription_resume, name="subscription_resume"
    ),
    path(
        "services/subscriptions/<slug:reference>/transfer/", transfer_views.subscription_transfer,
        name="subscription_transfer",
    ),
    path("services/transfers/<slug:reference>/", transfer_views.transfer_detail, name="transfer_detail"),
    path("services/transfers/<slug:reference>/answer/", transfer_views.transfer_answer, name="transfer_answer"),
    path("services/transfers/<slug:reference>/withdraw/", transfer_views.transfer_withdraw, name="transfer_withdraw"),
    path("services/subscriptions/<slug:reference>/usage/", usage_views.subscription_usage, name="subscription_usage"),
    path("billing/", billing_views.billing, name="billing"),
    path("billing/invoices/", billing_views.invoice_list, name="invoice_list"),
    path("billing/invoices/<slug:number>/", billing_views.invoice_detail, name="invoice_detail"),
    path("billing/invoices/<slug:number>.pdf", billing_views.invoice_pdf, name="invoice_pdf"),
    path("billing/invoices/<slug:number>/cii.xml", billing_views.invoice_cii, name="invoice_cii"),
    path("billing/invoices/<slug:number>/ubl.xml", billing_views.invoice_ubl, name="invoice_ubl"),
    path("billing/invoices/<slug:number>/pay/", billing_views.invoice_pay, name="invoice_pay"),
    path("billing/overdue/", dunning_views.overdue, name="overdue"),
    path("billing/invoices/<slug:number>/pay-from-funds/", funds_views.invoice_pay_funds, name="invoice_pay_funds"),
    path("billing/funds/", funds_views.funds_page, name="funds_list"),
    path("billing/funds/<slug:reference>/", funds_views.top_up, name="top_up"),
    path("billing/invoices/<slug:number>/lines/<int:position>/", usage_views.invoice_line, name="invoice_line"),
    path("billing/spending/", limit_views.spending_page, name="spending"),
    path("billing/next/", usage_views.next_invoices, name="upcoming"),
    path("billing/means/", billing_views.means_list, name="means_list"),
    path("billing/means/add/", billing_views.means_add, name="means_add"),
    path("billing/means/<int:pk>/default/", billing_views.means_default, name="means_default"),
    path("billing/means/<int:pk>/remove/", billing_views.means_remove, name="means_remove"),
]  # fmt: skip
