"""Machines' entries of this room, under /hooks/."""

from django.urls import path

from servers.pushes import push_views

app_name = "servers_hooks"
urlpatterns = [path("cloud/<slug:place>/", push_views.receive, name="cloud")]
