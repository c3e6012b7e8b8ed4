"""/support/: a customer's requests."""

from django.urls import path, re_path

from tickets import contest_views, views

NUMBER = r"(?P<number>REQ-[0-9A-Z]{8})"
app_name = "tickets"
urlpatterns = [
    path("support/", views.ticket_list, name="ticket_list"),
    path("support/new/", views.ticket_new, name="ticket_new"),
    path("support/attachments/<int:pk>/", views.attachment, name="attachment"),
    re_path(rf"^support/{NUMBER}/$", views.ticket_detail, name="ticket_detail"),
    re_path(rf"^support/{NUMBER}/close/$", views.ticket_close, name="ticket_close"),
    re_path(rf"^support/{NUMBER}/withdraw/$", contest_views.contest_withdraw, name="contest_withdraw"),
    path("billing/invoices/<slug:number>/dispute/", contest_views.contest_new, name="contest_new"),
]
