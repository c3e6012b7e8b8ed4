"""What whoever answers for reverse names promises: the simulated cloud, and a server that takes signed updates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rcode
import pytest

from panel.core.errors import ProviderError
from servers.dns import ReverseNames, at, can
from servers.dns.rfc2136 import connect
from tests.support.machines import simulated_place
from tests.support.nameserver import SECRET, NameServer, nameserver

ZONES = ("113.0.203.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa.")
V4, V6 = "203.0.113.7", "2001:db8::7"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with nameserver(*ZONES) as made:
        yield made


@pytest.fixture(params=["simulated", "rfc2136"])
def names(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReverseNames]:
    if request.param == "rfc2136":
        made: NameServer = request.getfixturevalue("server")
        yield connect("here", made.config)
        return
    with simulated_place(tmp_path):
        found = at("sim-1")
        assert found is not None
        yield found


def test_a_name_is_set_replaced_and_taken_away_for_either_family(names: ReverseNames) -> None:
    for ip in (V4, V6):
        assert names.published(ip) == ""
        for name in ("a.example.com", "a.example.com", "b.example.com"):
            names.publish(ip, name)
            assert names.published(ip) == name
    names.publish(V4, "")
    names.publish(V4, "")
    assert (names.published(V4), names.published(V6)) == ("", "b.example.com")


def test_a_wrong_key_and_a_foreign_zone_are_lasting_errors(server: NameServer) -> None:
    for config, ip in (
        ({"key_secret": SECRET[:-4] + "AA=="}, V4), ({"key_name": "other."}, V4), ({}, "192.0.2.1"),
        ({"zones": ["2.0.192.in-addr.arpa."]}, "192.0.2.1"),
    ):  # fmt: skip
        with pytest.raises(ProviderError) as refused:
            connect("here", server.config | config).publish(ip, "a.example.com")
        assert refused.value.permanent, refused.value
    assert server.updates == 0


def test_a_server_that_is_busy_or_away_is_asked_again(server: NameServer) -> None:
    server.says = [dns.rcode.SERVFAIL]
    names = connect("here", server.config)
    with pytest.raises(ProviderError) as busy:
        names.publish(V4, "a.example.com")
    assert not busy.value.permanent
    with pytest.raises(ProviderError) as away:
        connect("here", server.config | {"port": 1}).publish(V4, "a.example.com")
    assert (away.value.permanent, away.value.code) == (False, "unreachable")


@pytest.mark.parametrize("missing", ["server", "zones", "key_name", "key_secret"])
def test_a_configuration_that_lacks_something_says_so(server: NameServer, missing: str) -> None:
    config: dict[str, Any] = {name: value for name, value in server.config.items() if name != missing}
    with pytest.raises(ProviderError, match="not set up"):
        connect("here", config)


def test_a_place_without_anybody_for_names_says_so(settings: Any) -> None:
    settings.CLAUSE_PLACES = {"cloud": {"provider": "libcloud"}}
    assert (at("cloud"), can("cloud")) == (None, False)
