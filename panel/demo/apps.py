"""The demo world."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "panel.demo"
    label = "demo"
