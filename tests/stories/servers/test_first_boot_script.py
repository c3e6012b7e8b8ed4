"""As a customer I give a script with my order: it runs at the first start of the server (SRV-8)."""

import pytest

from invoicing.subscribing import kinds
from panel.core.errors import RuleViolation
from servers import handing_over
from servers.models import Server
from servers.providers.simulated.control import Control
from tests.support.machines import package, server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
VPS = kinds.get("vps")


def test_the_order_asks_for_it_and_the_machine_gets_it(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    asked = {question.name: question for question in VPS.questions(package(), alice.account)}
    assert (asked["first_boot"].widget, asked["first_boot"].required) == ("textarea", False)
    server = server_of(world, alice, first_boot="#!/bin/sh\r\napt-get update\r\n")
    assert server.first_boot == "#!/bin/sh\napt-get update\n"
    assert cloud.machine(server.provider_ref)["first_boot"] == server.first_boot
    assert server_of(world, alice, name="plain").first_boot == ""


def test_one_that_is_too_long_is_refused_at_its_field(cloud: Control) -> None:
    with pytest.raises(RuleViolation) as refused:
        VPS.validate(package(), {"name": "web-1", "first_boot": "x" * 16_384})
    assert refused.value.field == "first_boot"


def test_where_no_place_runs_scripts_nobody_is_asked_for_one(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    from servers import providers

    can = providers.Capabilities("Plain cloud")
    monkeypatch.setattr(type(providers.get("sim-1")), "capabilities", property(lambda self: can))
    world = World()
    asked = [question.name for question in VPS.questions(package(), world.customer().account)]
    assert "first_boot" not in asked
    with pytest.raises(RuleViolation, match="cannot run a script") as refused:
        VPS.validate(package(), {"name": "web-1", "first_boot": "true"})
    assert refused.value.field == "first_boot"


def test_who_takes_the_server_over_does_not_read_the_script_of_who_wrote_it(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    server = server_of(world, alice, first_boot="echo secret")
    row = server.subscription
    row.account = bob.account
    row.save(update_fields=["account"])
    handing_over.hand_over(row, now=world.now)
    found = Server.objects.select_related("subscription").get(pk=server.pk)
    assert (found.account_id, found.first_boot) == (bob.account.pk, "")
