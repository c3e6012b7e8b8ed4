"""What the fork server of `apart` loads before the first hand is forked: the whole panel."""

import os

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")
if not apps.ready:
    django.setup()
