"""A person's own pages, the account's contacts, and the legal documents."""

from django.urls import path

from panel.accounts import mailbox, views

app_name = "accounts"
urlpatterns = [
    path("account/", views.profile, name="profile"),
    path("account/data/", views.account_data, name="account_data"),
    path("account/security/", views.security_overview, name="security"),
    path("account/security/sessions/<int:pk>/end/", views.session_end, name="session_end"),
    path("account/security/lost/", views.loss_report, name="loss_report"),
    path("account/switch/<slug:reference>/", views.account_switch, name="account_switch"),
    path("account/tokens/", views.tokens_page, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
    path("contacts/", views.contact_list, name="contact_list"),
    path("contacts/add/", views.contact_add, name="contact_add"),
    path("contacts/<int:pk>/", views.contact_edit, name="contact_edit"),
    path("contacts/<int:pk>/remove/", views.contact_remove, name="contact_remove"),
    path("legal/", views.legal_list, name="legal_list"),
    path("legal/<slug:document>/<slug:label>/", views.legal_text, name="legal_text"),
    path("mailbox/", mailbox.mail_list, name="mailbox"),
    path("mailbox/<int:pk>/", mailbox.mail_detail, name="mailbox_detail"),
]
