"""/report/, the public form, and /support/cases/, a customer's infringement notices."""

from django.urls import path, re_path

from abuse import views

REFERENCE = r"(?P<reference>CASE-[0-9A-Z]{8})"
app_name = "abuse"
urlpatterns = [
    path("report/", views.report, name="report"),
    path("support/cases/", views.case_list, name="case_list"),
    re_path(rf"^support/cases/{REFERENCE}/$", views.case_detail, name="case_detail"),
]
