"""Imports the panel once, then forks a process for each part of a scene. See tests/support/crashing.py."""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402

from panel.core import crash  # noqa: E402


def in_child(scene: Any, order: dict[str, str], result: int) -> None:
    """What the forked process does; its answer goes through the pipe `result`."""
    os.dup2(2, 1)  # what the scene prints must not be taken for an answer
    connection.settings_dict["NAME"] = order["database"]
    settings.DATABASES["default"]["NAME"] = order["database"]
    settings.CLAUSE_DATA = Path(order["data"])
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = Path(order["data"]) / "mail"
    if order["deed"] == "prepare":
        if not os.environ.get("CLAUSE_TEST_TEMPLATE"):
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        deed = getattr(scene, "prepare", lambda: None)
    else:
        deed = getattr(scene, order["deed"])
    crash.arm(log=order["log"], at=order["at"])
    answer = deed()
    connections.close_all()
    os.write(result, json.dumps(answer, default=str).encode())


def main() -> None:
    scene = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        order = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(reader)
                in_child(scene, order, writer)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print("zygote: " + json.dumps({"status": code, "result": json.loads(said) if said else None}), flush=True)


if __name__ == "__main__":
    main()
