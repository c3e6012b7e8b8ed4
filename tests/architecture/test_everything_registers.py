"""What registers itself when its module is imported (sweeps, operations, subscribers, words) is there once the program
has started, before anybody asked for a page."""

import re
import subprocess
import sys

from tests.architecture.source import ROOT, files, name

REGISTERS = re.compile(
    r"^(?:@(?:operations\.register|due\.sweep|events\.subscriber)|WORDINGS\.update|register_nav)\b", re.MULTILINE
)
STARTED = "import django, sys; django.setup(); print('\\n'.join(sys.modules))"


def modules() -> set[str]:
    """Every module that registers something."""
    return {
        name(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for path in files(".py")
        if REGISTERS.search(path.read_text(encoding="utf-8"))
    }


def test_a_started_program_knows_every_sweep_operation_subscriber_and_word() -> None:
    told = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        env={"DJANGO_SETTINGS_MODULE": "panel.settings", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    wanted = modules()
    assert len(wanted) > 30
    assert sorted(wanted - set(told.stdout.split())) == []
