"""The simulated cloud's messages leave by HTTP, each once, signed with its place's secret, or are lost."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servers.providers.simulated import pushing
from servers.pushes import push_rules
from tests.ports.test_cloud_provider import Bench
from tests.support.machines import simulated_place
from tests.support.vendors.wire import Answer, Asked, Vendor, listening, route

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


class Panel(Vendor):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, object]] = []

    @route("POST", "/hooks/cloud/sim-1/")
    def hear(self, asked: Asked) -> Answer:
        self.heard.append((asked.headers["clause-push"], asked.body))
        return Answer(200, {})


def test_each_change_of_power_is_told_once_and_a_lost_message_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "EVERY", 0.01)
    panel = Panel()
    with simulated_place(tmp_path, push_secret="s3cret") as control, listening(panel) as host:
        node = Bench(["203.0.113.7"]).made()
        control.pushes()
        control.cut_power(node.ref)
        pushing.Messenger("http://127.0.0.1:9/hooks/cloud/", lambda: NOW).bring("sim-1", "s3cret")
        assert control.pushes() == [], "taken, and lost"

        messenger = pushing.Messenger(f"http://{host}/hooks/cloud/", lambda: NOW)
        messenger.start()
        control.vanish(node.ref)
        until = time.monotonic() + 10
        while not panel.heard and time.monotonic() < until:
            time.sleep(0.01)
        messenger.stop()
    ((header, body),) = panel.heard
    assert isinstance(body, dict)
    assert (body["ref"], body["kind"]) == (node.ref, "machine.gone")
    assert header.startswith(f"t={int(NOW.timestamp())},v1=")
    assert push_rules.HEADER == "Clause-Push"
