"""/ops/tickets/: staff's queue of requests."""

from django.urls import path, re_path

from tickets import contest_views, staff_views
from tickets.urls import NUMBER

MAIL = r"(?P<pk>\d{1,18})/(?P<verb>vouch|deny)"
app_name = "tickets_staff"
urlpatterns = [
    path("tickets/", staff_views.staff_ticket_list, name="ticket_list"),
    re_path(rf"^tickets/{NUMBER}/$", staff_views.staff_ticket_detail, name="ticket_detail"),
    re_path(rf"^tickets/{NUMBER}/mails/{MAIL}/$", staff_views.staff_ticket_vouch, name="vouch"),
    re_path(rf"^tickets/{NUMBER}/take/$", staff_views.staff_ticket_take, name="ticket_take"),
    re_path(rf"^tickets/{NUMBER}/close/$", staff_views.staff_ticket_close, name="ticket_close"),
    re_path(rf"^tickets/{NUMBER}/decide/$", contest_views.contest_decide, name="contest_decide"),
    re_path(rf"^tickets/{NUMBER}/dispute/$", contest_views.contest_make, name="contest_make"),
]
