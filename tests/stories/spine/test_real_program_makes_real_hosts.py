"""`LOCAL=1`: the program as it is started offers this machine, and a paid order becomes a host that answers SSH.

The customer comes by the API and pays at the bank's page; page, worker, clock and bank are those of the program itself.
SUB-3, SRV-1, SRV-2. And what it says when real hosts cannot be had.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from panel.core.errors import ProviderError
from servers import remote
from servers.providers.local.driver import LocalNodeDriver
from servers.remote import Target
from tests.support import bank, hosts
from tests.support.program import Program
from tests.support.wire import eventually

pytestmark = pytest.mark.local

BEGIN = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from panel.core import clock
"""
SIGN_UP = """
import json
from panel.accounts import tokens
from panel.accounts.models import Membership
from servers import keys, places
from tests.support.world import World
world = World()
world.now = clock.now()
alice = world.customer("Alice")
key = keys.add(alice.account, name="laptop", public_key={public!r}, actor=alice.actor, now=world.now)
token = tokens.issue(Membership.objects.get(user=alice.user), name="script", scopes=["see", "order"], lives=None,
                     actor=alice.actor, now=world.now)[1]
print(json.dumps({{"token": token, "key": key.pk, "offer": places.on_offer()}}))
"""
PAY = """
from invoicing.paying import payments
from invoicing.models import Order
from panel.core.actors import SYSTEM
payments.pay_order(Order.objects.get(), return_url="{base}/", keep=False, key="pay", actor=SYSTEM, now=clock.now())
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program with real hosts, on a network of its own; afterwards neither it nor any host is left."""
    bridge, subnet = f"t{secrets.token_hex(4)}", hosts.free_subnet()
    environment = {
        "LOCAL": "1", "CLAUSE_LOCAL_BRIDGE": bridge, "CLAUSE_LOCAL_SUBNET": subnet, "CLAUSE_DATABASE_URL": "",
        "CLAUSE_REDIS_URL": "",
    }  # fmt: skip
    made = Program(tmp_path, environment=environment)
    try:
        yield made
    finally:
        made.end_group()
        driver = LocalNodeDriver(data_dir=tmp_path / "local", bridge=bridge, subnet=subnet)
        for node in driver.list_nodes():
            driver.destroy_node(node)
    assert hosts.leftovers(tmp_path, bridge) == []


class Api:
    """A customer's own script."""

    def __init__(self, program: Program, token: str) -> None:
        self.base, self.headers = f"{program.base}/api/v1", {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        answer = requests.get(self.base + path, headers=self.headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = requests.post(self.base + path, json=body, headers=self.headers, timeout=20)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


def test_a_paid_order_becomes_a_host_that_answers_ssh(program: Program) -> None:
    program.start()
    customer = hosts.Customer()
    mine = json.loads(program.manage(script=BEGIN + SIGN_UP.format(public=customer.public)))
    assert mine["offer"]["local-1"] == "This machine"

    api = Api(program, mine["token"])
    accept = api.post("/orders/preview", package="vps-s")["accept"]
    wish = {"name": "web-1", "place": "local-1", "keys": [mine["key"]]}
    order = api.post("/orders", package="vps-s", settings=wish, accepted=accept)
    path = f"/orders/{order['reference']}"
    program.manage(script=BEGIN + PAY.format(base=program.base))
    assert eventually(lambda: bool(api.get(path)["payment"]["action_url"]), 20), "the worker opened the bank's page"
    bank.type_card(api.get(path)["payment"]["action_url"], bank.GOOD)
    assert eventually(lambda: api.get(path)["state"] == "paid", 20), "the bank told the program"

    def server() -> Any:
        return api.get("/servers")["items"][0]

    assert eventually(lambda: server()["state"] == "running", 60), server()
    made = api.get(f"/servers/{server()['reference']}")
    assert (made["place"], made["simulated"]) == ("local-1", False)
    with remote.connect(Target(made["address"], host_key=made["host_key"], private_key=customer.private)) as inside:
        assert inside.run(["hostname"]).output == "web-1\n"
    stranger = hosts.Customer()
    with pytest.raises(ProviderError, match="another host key"):
        remote.connect(Target(made["address"], host_key=stranger.public, private_key=customer.private))


def refusal(program: Program) -> str:
    """What it says when it ends at once."""
    program.spawn()
    assert program.process.wait(30) == 1
    said = program.said()
    assert "Traceback" not in said
    return said


def test_others_than_this_machine_are_refused(program: Program) -> None:
    program.environment["HOST"] = "0.0.0.0"  # noqa: S104 - that is what must not be
    assert "LOCAL=1 is for this machine alone" in refusal(program)


def test_a_network_that_is_in_use_is_named_before_anybody_orders(program: Program) -> None:
    program.environment["CLAUSE_LOCAL_SUBNET"] = "127.0.0.0/24"
    assert "local-1: 127.0.0.0/24 is in use on lo" in refusal(program)
