"""Whether a name leads to an address, asked through dnspython."""

import dns.exception
import dns.resolver

from panel.core.errors import ProviderError

PATIENCE = 6.0  # seconds, for both families


def addresses_of(name: str) -> set[str]:
    """See `servers.dns.addresses_of`."""
    resolver, found = dns.resolver.Resolver(), set()
    for kind in ("A", "AAAA"):
        try:
            found |= {str(record.address) for record in resolver.resolve(f"{name}.", kind, lifetime=PATIENCE / 2)}
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            continue
        except (dns.exception.DNSException, OSError) as error:
            raise ProviderError(f"no answer for {kind} of {name}: {error}", code="dns-unanswered") from error
    return found
