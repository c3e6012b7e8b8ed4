"""The staff's pages of orders and invoices."""

from django.urls import path

from invoicing import debit_urls, sales_urls, staff_views, tax_urls
from invoicing.banking import bank_views
from invoicing.chasing import dunning_views
from invoicing.consuming import usage_staff_views
from invoicing.limiting import limit_views
from invoicing.offering import catalogue_views, group_views, promotion_views
from invoicing.paying import payment_staff_views
from invoicing.paying_out import payout_views
from invoicing.renewing import run_staff_views
from invoicing.reviewing import renewal_views, review_views
from invoicing.transferring import transfer_views

app_name = "invoicing_staff"
urlpatterns = [
    *sales_urls.STAFF,
    *debit_urls.STAFF,
    *tax_urls.STAFF,
    path("orders/", staff_views.order_list, name="order_list"),
    path("orders/<slug:reference>/", staff_views.order_detail, name="order_detail"),
    path("customers/<slug:reference>/standing/", limit_views.customer_standing, name="customer_standing"),
    path("reviews/", review_views.review_list, name="review_list"),
    path("reviews/mail-domains/", review_views.mail_domains, name="mail_domains"),
    path("reviews/<int:pk>/", review_views.review_detail, name="review_detail"),
    path("reviews/<int:pk>/decide/", review_views.review_decide, name="review_decide"),
    path("dunning/", dunning_views.dunning, name="dunning"),
    path("dunning/rates/", dunning_views.rates, name="rates"),
    path("dunning/suspensions/", dunning_views.suspensions, name="suspensions"),
    path("dunning/suspensions/<int:pk>/decide/", dunning_views.suspension_decide, name="suspension_decide"),
    path("dunning/endings/<int:pk>/decide/", dunning_views.termination_decide, name="termination_decide"),
    path("catalogue/", catalogue_views.catalogue_list, name="catalogue_list"),
    path("catalogue/new/<slug:kind>/", catalogue_views.catalogue_new, name="catalogue_new"),
    path("catalogue/<slug:kind>/<slug:code>/", catalogue_views.catalogue_item, name="catalogue_item"),
    path("catalogue/<slug:kind>/<slug:code>/price/", catalogue_views.catalogue_price, name="catalogue_price"),
    path("groups/", group_views.group_list, name="group_list"),
    path("groups/new/", group_views.group_new, name="group_new"),
    path("groups/of/<slug:code>/", group_views.group_detail, name="group_detail"),
    path("groups/of/<slug:code>/add/<slug:kind>/", group_views.group_add, name="group_add"),
    path("groups/of/<slug:code>/leave/<int:pk>/", group_views.group_leave, name="group_leave"),
    path("groups/of/<slug:code>/prices/<int:pk>/end/", group_views.group_price_end, name="group_price_end"),
    path("promotions/", promotion_views.promotion_list, name="promotion_list"),
    path("promotions/new/", promotion_views.promotion_new, name="promotion_new"),
    path("promotions/code/<str:code>/", promotion_views.promotion_detail, name="promotion_detail"),
    path("promotions/code/<str:code>/off/", promotion_views.promotion_off, name="promotion_off"),
    path("invoices/", staff_views.invoice_list, name="invoice_list"),
    path("invoices/<slug:number>/", staff_views.invoice_detail, name="invoice_detail"),
    path("invoices/<slug:number>.pdf", staff_views.invoice_pdf, name="invoice_pdf"),
    path("invoices/<slug:number>/cii.xml", staff_views.invoice_cii, name="invoice_cii"),
    path("invoices/<slug:number>/ubl.xml", staff_views.invoice_ubl, name="invoice_ubl"),
    path("invoices/<slug:number>/final/", staff_views.invoice_final, name="invoice_final"),
    path("invoices/down-payment/<slug:reference>/", staff_views.down_payment_new, name="down_payment_new"),
    path("invoices/<slug:number>/credit/", staff_views.invoice_credit, name="invoice_credit"),
    path("bank/", bank_views.bank_list, name="bank_list"),
    path("bank/<int:pk>/", bank_views.bank_receipt, name="bank_receipt"),
    path("payouts/", payout_views.payout_list, name="payout_list"),
    path("payouts/<slug:ref>/", payout_views.payout_detail, name="payout_detail"),
    path("payments/", payment_staff_views.payment_list, name="payment_list"),
    path("payments/<slug:reference>/", payment_staff_views.payment_detail, name="payment_detail"),
    path("payments/<slug:reference>/give-back/", payment_staff_views.payment_give_back, name="payment_give_back"),
    path("invoices/<slug:number>/lines/<int:position>/", usage_staff_views.invoice_line, name="invoice_line"),
    path("subscriptions/<slug:reference>/renewal/", renewal_views.subscription_renewal, name="subscription_renewal"),
    path("subscriptions/<slug:reference>/transfer/", transfer_views.staff_transfer, name="subscription_transfer"),
    path("subscriptions/<slug:reference>/usage/", usage_staff_views.subscription_usage, name="subscription_usage"),
    path("billing/", run_staff_views.run_list, name="run_list"),
    path("billing/start/", run_staff_views.run_start, name="run_start"),
    path("billing/<int:pk>/", run_staff_views.run_detail, name="run_detail"),
    path("usage/", usage_staff_views.metering, name="metering"),
    path("usage/sources/add/", usage_staff_views.source_add, name="source_add"),
    path("usage/sources/<int:pk>/revoke/", usage_staff_views.source_revoke, name="source_revoke"),
    path("usage/meters/new/", usage_staff_views.meter_new, name="meter_new"),
]
