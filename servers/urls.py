"""The customer's servers and keys; the staff's fleet."""

from django.urls import path

from servers import staff_views, views

app_name = "servers"
urlpatterns = [
    path("servers/", views.server_list, name="server_list"),
    path("servers/<str:reference>/", views.server_detail, name="server_detail"),
    path("servers/<str:reference>/traffic/", views.server_traffic, name="server_traffic"),
    path("servers/<str:reference>/power/", views.server_power, name="server_power"),
    path("servers/<str:reference>/keys/", views.server_keys, name="server_keys"),
    path("keys/", views.key_list, name="key_list"),
    path("keys/add/", views.key_add, name="key_add"),
    path("keys/<int:pk>/delete/", views.key_delete, name="key_delete"),
    # staff
    path("ops/servers/", staff_views.server_list, name="staff_server_list"),
    path("ops/servers/<str:reference>/", staff_views.server_detail, name="staff_server_detail"),
]
