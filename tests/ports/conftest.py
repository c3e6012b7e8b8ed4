"""A place of hosts on this machine for a file of tests, somebody who may log in to them, and a host for each test."""

from collections.abc import Iterator

import pytest

from servers.providers import Node
from servers.providers.local_adapter import LocalProvider
from tests.support import hosts
from tests.support.hosts import Customer, spec


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProvider]:
    with hosts.place(tmp_path_factory.mktemp("hosts")) as provider:
        yield provider


@pytest.fixture(scope="module")
def customer() -> Customer:
    return Customer()


@pytest.fixture
def node(request: pytest.FixtureRequest, cloud: LocalProvider, customer: Customer) -> Iterator[Node]:
    made = cloud.create(spec(request.node.name[:60], customer.public, name="web-1"))
    yield made
    cloud.destroy(made.ref)
    for kept in cloud.snapshots():
        cloud.delete_snapshot(kept.ref)
