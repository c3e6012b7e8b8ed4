"""The public API: the same use cases, actions and `visible_to` as the pages, over JSON.

`endpoints/` has one file for each kind of object; everything they share (tokens, problems, limits, idempotency,
pages) is
beside it. The contract is `docs/openapi.json`; a test compares it with the code.
"""
