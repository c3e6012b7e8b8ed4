"""What the roles of the managed service are made of, and what people read of them (SRV-9)."""

import re
from pathlib import Path

import yaml

from servers.managing import managed_rules, managed_wording

FOLDER = Path(__file__).resolve().parents[2] / "ansible" / "managed"
TOLD_BY_NONE = {"include_role", "import_tasks", "import_role", "meta"}


def tasks() -> list[dict[str, object]]:
    """Every task and handler, those of blocks too."""
    found: list[dict[str, object]] = []
    for path in FOLDER.rglob("*.yml"):
        waiting = list(yaml.safe_load(path.read_text()))
        while waiting:
            row = waiting.pop()
            inside = [row[name] for name in ("tasks", "block") if name in row]
            waiting += [task for rows in inside for task in rows]
            if not inside:
                found.append(row)
    return found


def module(task: dict[str, object]) -> str:
    return next(str(name).rpartition(".")[2] for name in task if str(name).startswith("ansible.builtin."))


def test_every_task_that_people_read_has_words_in_every_language() -> None:
    told = {str(task["name"]) for task in tasks() if module(task) not in TOLD_BY_NONE}
    assert told == set(managed_wording.TASKS)


def test_what_holds_secrets_is_not_told() -> None:
    silent = {task["name"] for task in tasks() if task.get("no_log")}
    assert silent == {"The mailboxes"}


def test_commands_say_when_they_change_something() -> None:
    """A second run changes nothing: what only looks says so, what acts is a handler or knows what it has made."""
    for task in tasks():
        if module(task) in ("command", "shell") and "changed_when" not in task:
            made = re.search(r"creates|reload|-s reload|sysctl --system|pkill", str(task))
            assert made, task["name"]


def test_every_role_is_there_and_named() -> None:
    there = {path.name for path in (FOLDER / "roles").iterdir()}
    assert there == {*managed_rules.ALWAYS, *managed_rules.CHOSEN} == set(managed_wording.ROLES)
