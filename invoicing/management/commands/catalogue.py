"""`manage.py catalogue`: what is for sale to begin with (SUB-1)."""

from typing import Any

from django.core.management.base import BaseCommand

from invoicing.models import Package
from invoicing.offering.catalogue import install_catalogue


class Command(BaseCommand):
    help = "Put the provider's packages, options and first prices into the database; what is there stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        install_catalogue()
        if options["verbosity"]:
            self.stdout.write(f"{Package.objects.count()} packages are in the catalogue")
