"""Where servers can be ordered, and what each place offers."""

from collections.abc import Mapping

from panel.core.errors import ProviderError
from servers import providers
from servers.rules import NEEDS, Verb

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


def able(place: str, verb: Verb) -> bool:
    """Whether `verb` is among what the place can do; a place that cannot even be set up can do nothing."""
    needed = NEEDS.get(verb)
    return needed is None or bool(getattr(capabilities(place), needed))


def capabilities(place: str) -> providers.Capabilities:
    """What a place can do, for pages: they never fail because a place does."""
    try:
        return providers.get(place).capabilities
    except ProviderError:
        return providers.Capabilities(label(place))


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
