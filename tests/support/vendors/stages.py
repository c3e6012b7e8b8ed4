"""A vendor, its place as the panel would be configured, and what to do to it: the same bad days for each of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.test import override_settings

from servers import providers
from servers.providers import NodeSpec, Size
from servers.providers.libcloud_adapter import LibcloudProvider
from tests.support.vendors import ec2, openstack
from tests.support.vendors.digitalocean import TOKEN as DO_TOKEN
from tests.support.vendors.digitalocean import digitalocean
from tests.support.vendors.vultr import TOKEN as VULTR_TOKEN
from tests.support.vendors.vultr import vultr
from tests.support.vendors.wire import Answer, Vendor

SMALL, LARGE = Size("vps-s", 1, 1024, 25), Size("vps-m", 2, 2048, 60)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBu me@home"


@dataclass
class Stage:
    """`creating`: the request that makes a machine. `listing`: one that only looks."""

    vendor: Any
    config: dict[str, Any]
    creating: tuple[str, str]
    error: Callable[[int, str], Answer]
    place: str = "far-1"
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cloud(self) -> LibcloudProvider:
        found = providers.get(self.place)
        assert isinstance(found, LibcloudProvider)
        return found

    def spec(self, token: str = "SUB-1", **changes: Any) -> NodeSpec:  # noqa: S107
        values = {"name": "web-1", "image": "debian-13", "size": SMALL, "place": self.place, "keys": (KEY,)}
        return NodeSpec(token=token, **(values | changes))

    def machines(self) -> list[Any]:
        """What the vendor has, in its own words."""
        return list(self.vendor.machines.values())


def _do(vendor: Vendor) -> Stage:
    config = {
        "provider": "libcloud", "driver": "digitalocean", "label": "Amsterdam", "arguments": {"key": DO_TOKEN},
        "sizes": {"vps-s": "s-1vcpu-1gb", "vps-m": "s-2vcpu-2gb"}, "location": "ams3",
        "images": {"debian-13": "debian-13-x64"},
    }  # fmt: skip
    return Stage(vendor, config, ("POST", "/v2/droplets$"), lambda status, words: Answer(
        status, {"id": "error", "message": words}
    ))  # fmt: skip


def _vultr(vendor: Vendor) -> Stage:
    config = {
        "provider": "libcloud", "driver": "vultr", "label": "Paris", "arguments": {"key": VULTR_TOKEN},
        "sizes": {"vps-s": "vc2-1c-1gb", "vps-m": "vc2-2c-4gb"}, "location": "cdg", "images": {"debian-13": "2625"},
    }  # fmt: skip
    return Stage(vendor, config, ("POST", "/v2/instances$"), lambda status, words: Answer(
        status, {"error": words, "status": status}
    ))  # fmt: skip


def _ec2(vendor: Any) -> Stage:
    arguments = {
        "key": "test", "secret": "test", "region": ec2.REGION, "host": "127.0.0.1", "port": vendor.port,
        "secure": False,
    }  # fmt: skip
    config = {
        "provider": "libcloud", "driver": "ec2", "label": "Amazon", "arguments": arguments,
        "sizes": {"vps-s": "t3.micro", "vps-m": "t3.small"}, "images": {"debian-13": vendor.image},
    }  # fmt: skip
    return Stage(vendor, config, ("GET", "/RunInstances"), ec2.error)


def _openstack(vendor: Any) -> Stage:
    arguments = {
        "key": "panel", "secret": openstack.PASSWORD, "ex_force_auth_url": f"http://127.0.0.1:{vendor.port}",
        "ex_force_auth_version": "3.x_password", "ex_tenant_name": "panel", "ex_force_service_region": "RegionOne",
        "ex_domain_name": "Default", "api_version": "2.2", "secure": False,
    }  # fmt: skip
    config = {
        "provider": "libcloud", "driver": "openstack", "label": "Roubaix", "arguments": arguments,
        "sizes": {"vps-s": "f-1", "vps-m": "f-2"}, "images": {"debian-13": "img-13", "ubuntu-24": "img-24"},
        "network": "public",
    }  # fmt: skip
    return Stage(vendor, config, ("POST", "/servers$"), openstack.error)


STAGES = {
    "digitalocean": (digitalocean, _do),
    "vultr": (vultr, _vultr),
    "ec2": (ec2.amazon, _ec2),
    "openstack": (openstack.openstack, _openstack),
}
SLOW = frozenset({"digitalocean", "vultr", "openstack"})
"""Where a deed can be made to take long."""


@contextmanager
def stage(name: str, place: str = "far-1", **habits: Any) -> Iterator[Stage]:
    """The vendor `name` with `habits`, as the only place beside those that are configured already."""
    from django.conf import settings

    opened, made = STAGES[name]
    with opened(**habits) as vendor:
        found = made(vendor)
        found.place = place
        # the port is part of the name so that no adapter of another vendor's server is taken for this one
        config = found.config | {"label": f"{found.config['label']} {vendor.port}"}
        with override_settings(CLAUSE_PLACES={**settings.CLAUSE_PLACES, place: config}):
            yield found
