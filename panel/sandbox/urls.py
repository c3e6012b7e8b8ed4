"""The customer's start page."""

from django.urls import path

from panel.sandbox import views

app_name = "sandbox"
urlpatterns = [path("", views.dashboard, name="dashboard")]
