"""Addresses of mandates and of direct debits by our own files."""

from django.urls import path

from invoicing.debiting import debit_views, mandate_views, staff_mandate_views

CUSTOMER = [
    path("billing/mandates/new/", mandate_views.mandate_new, name="mandate_new"),
    path("billing/mandates/<slug:reference>/", mandate_views.mandate_detail, name="mandate_detail"),
    path("billing/mandates/<slug:reference>.pdf", mandate_views.mandate_pdf, name="mandate_pdf"),
    path("billing/mandates/<slug:reference>/sign/", mandate_views.mandate_sign, name="mandate_sign"),
    path("billing/mandates/<slug:reference>/end/", mandate_views.mandate_end, name="mandate_end"),
]
STAFF = [
    path("debits/", debit_views.debit_list, name="debit_list"),
    path("debits/make/", debit_views.debit_make, name="debit_make"),
    path("debits/announce/", debit_views.debit_announce, name="debit_announce"),
    path("debits/mandates/", staff_mandate_views.mandate_list, name="mandate_list"),
    path("debits/mandates/<slug:reference>/", staff_mandate_views.mandate_detail, name="mandate_detail"),
    path("debits/mandates/<slug:reference>.pdf", staff_mandate_views.mandate_pdf, name="mandate_pdf"),
    path("debits/<int:pk>/", debit_views.debit_detail, name="debit_detail"),
    path("debits/<int:pk>/again/", debit_views.debit_again, name="debit_again"),
    path("debits/files/", debit_views.batch_list, name="debit_batch_list"),
    path("debits/files/<slug:reference>/", debit_views.batch_detail, name="debit_batch_detail"),
    path("debits/files/<slug:reference>.xml", debit_views.batch_file, name="debit_batch_file"),
    path("debits/files/<slug:reference>/send/", debit_views.batch_send, name="debit_batch_send"),
    path("debits/files/<slug:reference>/discard/", debit_views.batch_discard, name="debit_batch_discard"),
]
