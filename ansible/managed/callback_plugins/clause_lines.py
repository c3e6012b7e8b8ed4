"""Tells the panel what happens, one JSON object a line: it reads objects, not a screen."""

import json
import sys

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: clause_lines
type: stdout
short_description: one JSON object a line
description: What the panel reads of a run.
"""
LONGEST = 4_000
TOLD = 1_000_000  # of a task whose output the panel asked for


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "clause_lines"

    def _say(self, kind: str, **words: object) -> None:
        sys.stdout.write(json.dumps({"kind": kind, **words}, default=str) + "\n")
        sys.stdout.flush()

    def v2_playbook_on_task_start(self, task, is_conditional):
        if "role }}" not in task.get_name():
            self._say("begun", **self._named(task))

    def v2_playbook_on_handler_task_start(self, task):
        self._say("begun", **self._named(task))

    def v2_runner_on_ok(self, result):
        if result.task.action.endswith("include_role"):
            return
        found = result.result
        self._ended(result, "changed" if found.get("changed") else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._ended(result, "failed")

    def v2_runner_on_unreachable(self, result):
        self._ended(result, "unreachable")

    def v2_runner_on_skipped(self, result):
        if not result.task.action.endswith("include_role"):
            self._ended(result, "skipped")

    def v2_playbook_on_stats(self, stats):
        self._say("over", hosts=len(stats.processed))

    def _named(self, task):
        role = task._role.get_name() if task._role else ""
        return {"role": role, "name": task.get_name().removeprefix(f"{role} : ")}

    def _ended(self, result, status):
        found = self._dump_safe(result)
        words = {}
        if status in ("failed", "unreachable"):
            parts = [found.get(name) for name in ("msg", "stderr", "stdout")]
            words["message"] = "\n".join(str(part) for part in parts if part)[:LONGEST]
        if "told" in result.task.tags:
            words["told"] = str(found.get("stdout", ""))[:TOLD]
            words["exists"] = bool(found.get("stat", {}).get("exists"))
        self._say("ended", status=status, **self._named(result.task), **words)

    @staticmethod
    def _dump_safe(result):
        return {"msg": "hidden"} if result.task.no_log else result.result
