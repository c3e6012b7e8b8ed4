"""A strict fake of Stripe's HTTP API, for development and tests: `serve()` it and point the official client at it.

It keeps Stripe's promises (idempotency keys, refusals, refund limits, signed webhooks at least once) and its bad days
(late, repeated, reordered and lost webhooks, answers lost after the effect), by seed. No money moves, and no real card
passes.
"""

from invoicing.gateways.fake.server import FakeStripe, serve

__all__ = ["FakeStripe", "serve"]
