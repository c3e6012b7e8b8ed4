"""/ops/cases/ and /ops/reports/: the abuse desk."""

from django.urls import path, re_path

from abuse import staff_views
from abuse.urls import REFERENCE

VERB = r"(?P<verb>accept|refuse|reverse|pause|resume|suspend_server|notify|amends)"
app_name = "abuse_staff"
urlpatterns = [
    path("cases/", staff_views.case_list, name="case_list"),
    re_path(rf"^cases/{REFERENCE}/$", staff_views.case_detail, name="case_detail"),
    re_path(rf"^cases/{REFERENCE}/{VERB}/$", staff_views.case_decide, name="case_decide"),
    path("reports/", staff_views.report_list, name="report_list"),
    path("reports/<int:pk>/", staff_views.report_detail, name="report_detail"),
    path("reporters/", staff_views.reporter_list, name="reporter_list"),
    path("reporters/<int:pk>/", staff_views.reporter_change, name="reporter_change"),
]
