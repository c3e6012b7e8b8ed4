"""Running the machine's own tools, with a clear error when one is missing or fails."""

import os
import subprocess
from collections.abc import Sequence

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""The distribution's own programs, never what a virtual environment or a version manager put before them."""

ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C", "HOME": "/nonexistent"}
"""All that a child sees: the panel's own environment holds secrets."""


class LocalError(Exception):
    """A tool of this machine failed; another attempt may work."""

    permanent = False


class RefusedError(LocalError):
    """What was asked cannot be had, however often it is asked."""

    permanent = True


def which(program: str) -> str | None:
    """The absolute path of `program` in the distribution's directories."""
    for directory in PATH.split(":"):
        path = f"{directory}/{program}"
        if os.access(path, os.X_OK):
            return path
    return None


def run(*command: str, stdin: str = "", timeout: float = 30, ok: Sequence[int] = (0,)) -> str:
    """Run `command` and give its output; LocalError with what it said when it fails or outlasts `timeout` seconds."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalError(f"{command[0]}: {error}") from error
    if done.returncode not in ok:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise LocalError(f"{' '.join(command)[:200]}: exit {done.returncode}: {said}")
    return done.stdout
