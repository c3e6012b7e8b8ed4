"""`manage.py serve`: the whole panel in one process, with nothing else to install (`make run`)."""

import os
import signal
import sys
from argparse import ArgumentParser
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, connections

from panel.core import clock, ticking, triggers
from panel.core.errors import ProviderError
from panel.runtime import assets, bank, demo_data, server
from panel.runtime.engine import Engine
from panel.runtime.lock import DataLock, Running
from servers import providers
from servers.providers.simulated import pushing

WORKERS = 2
INTERRUPTED = 130
LONG_SLEEP = timedelta(hours=12)


class Command(BaseCommand):
    help = "Run the panel in one process: pages, live updates, workers, the clock, and simulated providers."
    _slept = ""
    requires_system_checks: list[str] = []  # `make check` runs them; here they would cost a second at each start

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on (8000)")
        parser.add_argument("--local", action="store_true", help="make real hosts on this machine (Linux, root)")
        parser.add_argument("--bare", action="store_true", help="do not build the demo world in an empty database")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("serve is the embedded runtime; in production see docs/operations/.")
        self._settle(options)
        signal.signal(signal.SIGTERM, _interrupt)
        lock = DataLock(settings.CLAUSE_DATA)
        try:
            lock.take(settings.CLAUSE_BASE_URL)
            self._serve(bare=options["bare"])
        except Running as running:
            raise CommandError(str(running)) from None
        except KeyboardInterrupt:
            self.stderr.write("stopped before it was ready")
            sys.exit(INTERRUPTED)
        finally:
            connections.close_all()
            lock.release()

    def _settle(self, options: dict[str, Any]) -> None:
        """Host, port and local hosts are settings; options that differ from them start the process again with them."""
        wanted = {"HOST": options["host"], "PORT": str(options["port"])}
        if options["local"]:
            wanted["LOCAL"] = "1"
        present = {
            "HOST": settings.HOST,
            "PORT": str(settings.PORT),
            "LOCAL": "1" if settings.CLAUSE_LOCAL_HOSTS else "",
        }
        if any(present[name] != value for name, value in wanted.items()):
            os.environ.update(wanted)
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - this very program

    def _serve(self, *, bare: bool) -> None:
        try:
            sock = server.bound(settings.HOST, settings.PORT)
        except OSError as error:
            raise CommandError(
                f"{settings.HOST}:{settings.PORT} cannot be had: {error.strerror}. Try PORT=8001."
            ) from None
        if demo_data.is_unfinished():
            self.stdout.write("The demo world was interrupted while it was being built: it is begun again.")
            demo_data.throw_away()
        self._prepare()
        inner = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::", "localhost") else settings.HOST  # noqa: S104
        inner = f"[{inner}]" if ":" in inner else inner
        with_bank = bank.open_bank(f"http://{inner}:{settings.PORT}/hooks/stripe/")
        try:
            if not bare:
                call_command("demo", if_empty=True, stdout=self.stdout)
            from panel.asgi import application

            self._slept = self._after_sleep()
            engine = Engine(WORKERS)
            engine.start()
            messenger = pushing.Messenger(f"http://{inner}:{settings.PORT}/hooks/cloud/", clock.now)
            messenger.start()
            try:
                server.run(server.composed(application, bank.bank_pages(with_bank)), sock, self._ready)
            finally:
                messenger.stop()
                engine.stop()
        finally:
            with_bank.stop()
            sock.close()
        self.stdout.write("stopped")

    def _prepare(self) -> None:
        if settings.CLAUSE_LOCAL_HOSTS:
            self._check_places()
        assets.gather()
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        if lacking := triggers.missing(connection):
            raise CommandError(f"the database lacks the triggers {', '.join(lacking)}")
        call_command("catalogue", verbosity=0)

    @staticmethod
    def _check_places() -> None:
        """Where no host can be made, that is said now, and not after somebody has paid for one."""
        for place in providers.places():
            try:
                providers.get(place)
            except ProviderError as error:
                raise CommandError(f"{place}: {error}") from None

    @staticmethod
    def _after_sleep() -> str:
        """After a gap of the clock restrictions wait for a person (ABU-12); a demo world is better renewed."""
        gap = ticking.silence(clock.now())
        if gap is None or gap < LONG_SLEEP:
            return ""
        return (
            f"The clock stood still for {gap.days} days and {gap.seconds // 3600} hours. Money is caught up;\n"
            "restrictions that fell due meanwhile wait for release under Operations, Approvals.\n"
            "`make demo` builds a fresh demo world."
        )

    def _ready(self) -> None:
        lines = ["", f"{settings.CLAUSE_BRAND['name']} is ready: {settings.CLAUSE_BASE_URL}/", ""]
        path = settings.CLAUSE_DATA / "demo-logins.txt"
        if path.exists():
            lines += [*path.read_text(encoding="utf-8").splitlines(), ""]
        if self._slept:
            lines += [self._slept, ""]
        lines.append("Ctrl-C stops it; nothing is lost.")
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
