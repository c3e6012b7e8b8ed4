"""Where servers can be ordered, and what each place offers."""

from collections.abc import Mapping

from servers import providers

# Where a place's configuration names no `images`: code -> name.
DEFAULT_IMAGES: Mapping[str, Mapping[str, str]] = {
    "simulated": {"debian-12": "Debian 12", "ubuntu-24.04": "Ubuntu 24.04 LTS", "rocky-9": "Rocky Linux 9"},
    "local": {"slim": "Slim Debian"},
}


def label(place: str) -> str:
    """The place's name on pages."""
    return str(providers.places().get(place, {}).get("label") or place)


def is_simulated(place: str) -> bool:
    """Whether nothing real stands behind the place; every page that shows it says so."""
    return providers.places().get(place, {}).get("provider") == "simulated"


def labels() -> dict[str, str]:
    """Place -> label, all of them."""
    return {place: label(place) for place in providers.places()}


def on_offer() -> dict[str, str]:
    """Place -> label, for new orders: those whose configuration does not say `closed`."""
    return {place: label(place) for place, config in providers.places().items() if not config.get("closed")}


def images(place: str) -> dict[str, str]:
    """Code -> name of the systems a server can start with there."""
    config = providers.places().get(place, {})
    named = config.get("images") or DEFAULT_IMAGES.get(str(config.get("provider")), {})
    return {str(code): str(name) for code, name in dict(named).items()}
