"""The hub: a slow page costs a slot of bounded size and holds nobody up."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel import live_socket
from panel.core import live
from panel.core.live.hub import FULL, Hub, Slot


def told(hub: Hub, topics: list[str], event_: str, /, **payload: object) -> None:
    hub.deliver(live.encode(topics, event_, payload))


async def frame(slot: Slot) -> list[dict[str, object]]:
    text = await asyncio.wait_for(slot.frame(), 1)
    assert text is not None
    messages: list[dict[str, object]] = json.loads(text)
    return messages


def test_the_latest_message_about_an_object_replaces_the_older_one() -> None:
    async def story() -> None:
        hub, slot = Hub(), Slot()
        hub.join(slot)
        hub.watch(slot, "server:1")
        for state in ("stopped", "starting", "running"):
            told(hub, ["server:1"], "changed", id=1, state=state)
        told(hub, ["server:1"], "metered", id=1)
        told(hub, ["server:2"], "changed", id=2)
        assert await frame(slot) == [
            {"id": 1, "state": "running", "topic": "server:1", "event": "changed"},
            {"id": 1, "topic": "server:1", "event": "metered"},
        ]

    asyncio.run(story())


def test_a_slot_that_overflows_asks_for_everything_anew() -> None:
    async def story() -> None:
        hub, slot = Hub(), Slot()
        hub.watch(slot, "staff")
        for number in range(FULL + 1):
            told(hub, ["staff"], "changed", id=number)
        assert await frame(slot) == [{"topic": "*", "event": "refresh"}]

    asyncio.run(story())


def test_payload_cannot_pretend_to_be_another_topic() -> None:
    async def story() -> None:
        hub, slot = Hub(), Slot()
        hub.watch(slot, "account:1")
        told(hub, ["account:1"], "changed", topic="staff", event="other")
        assert await frame(slot) == [{"topic": "account:1", "event": "changed"}]

    asyncio.run(story())


def test_what_was_told_between_the_reading_of_a_page_and_its_socket_is_made_up_for() -> None:
    async def story() -> None:
        hub = Hub()
        hub.bind(asyncio.get_running_loop())
        read = time.time()
        told(hub, ["server:1"], "changed", id=1)
        early, late = Slot(), Slot()
        hub.watch(early, "server:1", since=read)
        hub.watch(early, "server:2", since=read)
        assert await frame(early) == [{"topic": "server:1", "event": "missed"}]
        hub.watch(late, "server:1", since=time.time())
        assert not late._pending, "its page was read after the change"

    asyncio.run(story())


def test_a_page_that_was_read_before_the_hub_could_hear_is_loaded_again() -> None:
    async def story() -> None:
        hub, read = Hub(), time.time()
        for topic, deafness in (("server:1", lambda: hub.bind(asyncio.get_running_loop())), ("staff", hub.refresh_all)):
            deafness()
            slot = Slot()
            hub.watch(slot, topic, since=read)
            assert await frame(slot) == [{"topic": topic, "event": "missed"}]

    asyncio.run(story())


def test_who_left_hears_nothing_and_leaves_nothing_behind() -> None:
    hub, slot = Hub(), Slot()
    hub.join(slot)
    hub.watch(slot, "server:1")
    hub.part(slot)
    told(hub, ["server:1"], "changed", id=1)
    assert not hub._watchers
    assert not slot._pending


def test_who_asked_for_it_hears_which_topics_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once of a new one, again of all that are still there, and of none that nobody watches any more."""
    heard: list[list[str]] = []
    hub = Hub()
    monkeypatch.setattr(live_socket, "hub", hub)
    monkeypatch.setattr(live_socket, "GLANCE", 0.01)
    monkeypatch.setattr(live_socket, "AGAIN", 0.2)
    monkeypatch.setattr(live_socket.live, "attended", lambda: {"vitals": lambda names, now: heard.append(list(names))})

    async def told() -> None:
        until = time.monotonic() + 5
        before = len(heard)
        while len(heard) == before and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def story() -> None:
        listening = asyncio.create_task(live_socket.attendance())
        first, second = Slot(), Slot()
        hub.watch(first, "server:7")  # of another kind
        hub.watch(first, "vitals:7")
        await told()
        assert heard[-1] == ["7"]
        hub.watch(second, "vitals:8")
        await told()
        assert heard[-1] in (["8"], ["7", "8"])
        while heard[-1] != ["7", "8"]:
            await told()
        hub.part(first)
        heard.clear()
        await told()
        assert heard == [["8"]]
        listening.cancel()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, asyncio.wait_for(story(), 20)).result()
