"""The socket of live pages: the owner hears within two seconds, nobody else does, whose rights change is cut off."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.program import ROOT, Program

pytestmark = pytest.mark.crash

PEOPLE = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from panel.accounts.models import Account, Membership, User
from panel.core import clock
Store = import_module(settings.SESSION_ENGINE).SessionStore
people = {}
for name, permissions in (("owner", None), ("stranger", None), ("contact", ["tickets"])):
    user = User.objects.create_user(email=f"{name}@x.example", password="p", name=name, created_at=clock.now())
    if permissions is None:
        facts = dict(kind="consumer", name=name, billing_email=user.email, created_at=clock.now())
        account = Account.objects.create(reference=name, **facts)
        Membership.objects.create(user=user, account=account, is_owner=True, created_at=clock.now())
    else:
        account = Account.objects.get(reference="owner")
        Membership.objects.create(user=user, account=account, permissions=permissions, created_at=clock.now())
    session = Store()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["account"] = account.pk
    session.save()
    people[name] = {"user": user.pk, "account": account.pk, "cookie": session.session_key}
print(json.dumps(people))
"""
ENQUEUE = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from django.db import transaction
from panel.core import clock, operations
with transaction.atomic():
    operations.enqueue("test.publish", key=os.urandom(8).hex(), now=clock.now(), payload={payload!r})
"""


class House:
    """A running program and three people with sessions."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.people: dict[str, Any] = json.loads(program.manage(script=PEOPLE))

    def socket(self, who: str, *, origin: str = "") -> connect:
        headers = {"Cookie": f"sessionid={self.people[who]['cookie']}"} if who else {}
        address = self.program.base.replace("http", "ws") + "/ws/live/"
        return connect(address, additional_headers=headers, origin=origin or self.program.base, proxy=None)

    async def publish(self, **payload: Any) -> None:
        await asyncio.to_thread(self.program.manage, script=ENQUEUE.format(payload=payload))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data: Path = tmp_path_factory.mktemp("live") / "data"
    command = [str(ROOT / "tests" / "runtime" / "slow_program.py")]
    with Program(data, command=command, environment={"CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": ""}) as program:
        yield House(program)


def told(story: Callable[[], Awaitable[None]]) -> None:
    """In a thread of its own: the one of the tests may have a browser's event loop open."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, asyncio.wait_for(story(), 40)).result()


async def heard(socket: ClientConnection, seconds: float) -> list[dict[str, Any]]:
    """What comes within `seconds`."""
    messages: list[dict[str, Any]] = []
    try:
        while True:
            messages += json.loads(await asyncio.wait_for(socket.recv(), seconds))
    except TimeoutError:
        return messages


def test_the_owner_hears_and_a_stranger_does_not(house: House) -> None:
    async def story() -> None:
        topic = f"account:{house.people['owner']['account']}"
        async with house.socket("owner") as owner, house.socket("stranger") as stranger:
            for socket in (owner, stranger):
                await socket.send(json.dumps({"watch": [topic, "staff", "nothing:1"]}))
            assert {m["topic"] for m in await heard(owner, 1)} == {"staff", "nothing:1"}, (
                "both are refused to the owner"
            )
            assert {m["topic"] for m in await heard(stranger, 1)} == {topic, "staff", "nothing:1"}
            await house.publish(topics=[topic, "staff"], event="changed", payload={"id": 7})
            assert await heard(owner, 2) == [{"id": 7, "topic": topic, "event": "changed"}]
            assert await heard(stranger, 0.5) == []

    told(story)


def test_a_contact_without_the_permission_to_see_is_refused_the_account(house: House) -> None:
    async def story() -> None:
        topic = f"account:{house.people['contact']['account']}"
        async with house.socket("contact") as contact:
            await contact.send(json.dumps({"watch": [topic]}))
            assert await heard(contact, 1) == [{"topic": topic, "event": "refused"}]

    told(story)


def test_nobody_and_foreign_pages_are_refused_at_the_door(house: House) -> None:
    async def story() -> None:
        for who, origin in (("", ""), ("owner", "https://evil.example")):
            with pytest.raises(InvalidStatus) as refusal:
                async with house.socket(who, origin=origin):
                    pass
            assert refusal.value.response.status_code == 403

    told(story)


def test_whose_rights_change_is_cut_off_within_a_second_of_it(house: House) -> None:
    async def story() -> None:
        async with house.socket("owner") as owner, house.socket("stranger") as stranger:
            await house.publish(leave=house.people["owner"]["user"])
            begun = time.monotonic()
            with pytest.raises(ConnectionClosed) as closing:
                await owner.recv()
            assert time.monotonic() - begun < 2, "one for the worker to look, one for the closing"
            assert closing.value.rcvd is not None
            assert closing.value.rcvd.code == 4401
            assert await heard(stranger, 0.5) == []

    told(story)


@pytest.mark.parametrize("text", ["nonsense", "[1, 2]", '{"watch": "staff"}', '{"watch": [1, null, {}]}', "\u0000"])
def test_nonsense_does_no_harm(house: House, text: str) -> None:
    async def story() -> None:
        topic = f"account:{house.people['owner']['account']}"
        async with house.socket("owner") as owner:
            await owner.send(text)
            await owner.send(json.dumps({"watch": [topic]}))
            await house.publish(topics=[topic], event="changed", payload={"id": 8})
            assert await heard(owner, 2) == [{"id": 8, "topic": topic, "event": "changed"}]

    told(story)


def test_who_wants_too_much_is_shown_out(house: House) -> None:
    async def story() -> None:
        async with house.socket("owner") as owner:
            await owner.send(" " * 20_000)
            with pytest.raises(ConnectionClosed):
                await owner.recv()

    told(story)
