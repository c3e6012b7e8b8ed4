"""The staff's pages of the books and of VAT."""

from django.urls import path

from invoicing.accounting import books_views
from invoicing.taxing import tax_views

STAFF = [
    path("books/", books_views.books, name="books"),
    path("books/export/", books_views.books_export, name="books_export"),
    path("books/platform/", books_views.platform_list, name="platform_list"),
    path("books/reports/<int:pk>/", books_views.report_detail, name="e_report_detail"),
    path("books/rates/", tax_views.rate_list, name="rate_list"),
    path("books/rates/enter/", tax_views.rate_enter, name="rate_enter"),
    path("books/rates/<int:pk>/withdraw/", tax_views.rate_withdraw, name="rate_withdraw"),
    path("vat/<slug:reference>/", tax_views.customer_vat, name="customer_vat"),
    path("vat/<slug:reference>/ask/", tax_views.customer_vat_ask, name="customer_vat_ask"),
    path("vat/<slug:reference>/change/", tax_views.customer_vat_change, name="customer_vat_change"),
]
