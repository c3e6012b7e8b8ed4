"""The staff's pages that span apps."""

from django.urls import path

from panel.console import customer_views, style_views, views

app_name = "console"
urlpatterns = [
    path("", views.work, name="work"),
    path("operations/", views.operation_list, name="operation_list"),
    path("operations/<int:pk>/", views.operation_detail, name="operation_detail"),
    path("operations/<int:pk>/retry/", views.operation_retry, name="operation_retry"),
    path("operations/<int:pk>/discard/", views.operation_discard, name="operation_discard"),
    path("mail/", views.mail_list, name="mail_list"),
    path("mail/<int:pk>/", views.mail_detail, name="mail_detail"),
    path("health/", views.health_page, name="health"),
    path("audit/", views.audit_list, name="audit"),
    path("audit/verify/", views.audit_verify, name="audit_verify"),
    path("approvals/", customer_views.approval_list, name="approval_list"),
    path("approvals/<int:pk>/vote/", customer_views.approval_vote, name="approval_vote"),
    path("customers/", customer_views.customer_list, name="customer_list"),
    path("customers/<slug:reference>/", customer_views.customer_detail, name="customer_detail"),
    path("style/", style_views.style, name="style"),
]
