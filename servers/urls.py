"""The customer's servers and keys; the status page; the staff's fleet and interruptions."""

from django.urls import path

from servers import manage_views, staff_views, views
from servers.addressing import address_views
from servers.drifting import drift_views
from servers.maintaining import maintenance_staff_views, status_views
from servers.managing import managed_views
from servers.networking import network_views, request_views
from servers.safeguarding import safeguard_views
from servers.safekeeping import copy_views
from servers.terminals import terminal_views
from servers.traffic import doubt_views

app_name = "servers"
urlpatterns = [
    path("servers/", views.server_list, name="server_list"),
    path("servers/<str:reference>/", views.server_detail, name="server_detail"),
    path("servers/<str:reference>/traffic/", views.server_traffic, name="server_traffic"),
    path("servers/<str:reference>/traffic.csv", views.server_traffic_file, name="server_traffic_file"),
    path("servers/<str:reference>/power/", views.server_power, name="server_power"),
    path("servers/<str:reference>/manage/", manage_views.server_manage, name="server_manage"),
    path("servers/<str:reference>/network/", network_views.server_network, name="server_network"),
    path("servers/<str:reference>/network/ask/", request_views.firewall_ask, name="firewall_ask"),
    path("servers/<str:reference>/terminal/", terminal_views.server_terminal, name="server_terminal"),
    path("servers/<str:reference>/backups/", copy_views.server_backups, name="server_backups"),
    path("servers/<str:reference>/managed/", managed_views.server_managed, name="server_managed"),
    path(
        "servers/<str:reference>/managed/updates.csv",
        managed_views.server_managed_report,
        name="server_managed_report",
    ),
    path("servers/<str:reference>/keys/", views.server_keys, name="server_keys"),
    path("addresses/", address_views.address_list, name="address_list"),
    path("keys/", views.key_list, name="key_list"),
    path("keys/add/", views.key_add, name="key_add"),
    path("keys/<int:pk>/delete/", views.key_delete, name="key_delete"),
    path("support/limits/<str:number>/answer/", safeguard_views.limit_answer, name="limit_answer"),
    path(
        "support/firewall/<str:number>/withdraw/",
        request_views.firewall_request_withdraw,
        name="firewall_request_withdraw",
    ),
    # everybody
    path("status/", status_views.status, name="status"),
    path("status/feed.atom", status_views.feed, name="status_feed"),
    path("status/<str:reference>/", status_views.interruption, name="interruption"),
    # staff
    path("ops/servers/", staff_views.server_list, name="staff_server_list"),
    path("ops/servers/<str:reference>/", staff_views.server_detail, name="staff_server_detail"),
    path("ops/servers/<str:reference>/manage/", manage_views.staff_server_manage, name="staff_server_manage"),
    path("ops/servers/<str:reference>/network/", network_views.staff_server_network, name="staff_server_network"),
    path("ops/servers/<str:reference>/terminal/", terminal_views.staff_server_terminal, name="staff_server_terminal"),
    path("ops/servers/<str:reference>/backups/", copy_views.staff_server_backups, name="staff_server_backups"),
    path("ops/servers/<str:reference>/managed/", managed_views.staff_server_managed, name="staff_server_managed"),
    path(
        "ops/servers/<str:reference>/managed/updates.csv",
        managed_views.staff_server_managed_report,
        name="staff_server_managed_report",
    ),
    path("ops/servers/<str:reference>/limit/", safeguard_views.server_limit, name="staff_server_limit"),
    path("ops/servers/findings/<int:pk>/", drift_views.finding, name="staff_finding"),
    path("ops/readings/", doubt_views.reading_list, name="staff_reading_list"),
    path("ops/readings/<int:pk>/decide/", doubt_views.reading_decide, name="staff_reading_decide"),
    path("ops/limits/<str:number>/decide/", safeguard_views.limit_decide, name="limit_decide"),
    path("ops/firewall/<str:number>/decide/", request_views.firewall_request_decide, name="firewall_request_decide"),
    path("ops/addresses/", address_views.pool_list, name="staff_pool_list"),
    path("ops/interruptions/", maintenance_staff_views.interruption_list, name="staff_interruption_list"),
    path("ops/interruptions/new/", maintenance_staff_views.interruption_new, name="staff_interruption_new"),
    path(
        "ops/interruptions/<str:reference>/",
        maintenance_staff_views.interruption_detail,
        name="staff_interruption_detail",
    ),
    path(
        "ops/interruptions/<str:reference>/<str:name>/",
        maintenance_staff_views.interruption_deed,
        name="staff_interruption_deed",
    ),
]
