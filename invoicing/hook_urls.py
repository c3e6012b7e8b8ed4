"""Machines' entries of this room, under /hooks/."""

from django.urls import path

from invoicing.paying import webhook_views

app_name = "invoicing_hooks"
urlpatterns = [path("stripe/", webhook_views.stripe, name="stripe")]
