"""Version 1 of the API, put together."""

from django.http import Http404, HttpRequest
from ninja import NinjaAPI, Router

from panel.api import problems
from panel.api.auth import Bearer
from panel.api.endpoints import (
    addresses,
    cases,
    contests,
    funds,
    invoices,
    mandates,
    orders,
    packs,
    payments,
    quotes,
    reports,
    server_access,
    server_copies,
    server_managed,
    server_traffic,
    servers,
    spending,
    subscriptions,
    transfers,
    usage,
)
from panel.api.plain import Plain
from panel.api.reference import Reference

api = NinjaAPI(
    title="Clause API",
    version="1",
    urls_namespace="api",
    description=(
        "What customers order, run, hand over, pay, dispute and answer, and usage and reports sent in; the account "
        "itself, its people and its requests have pages only. Tokens are issued in the panel under Your profile, API "
        "tokens, and may do what their scopes name and their person may. Money is integer cents in EUR, instants are "
        "UTC, lists come in pages. Send an Idempotency-Key with each POST: it is then safe to send it again. Errors "
        "are RFC 9457 problems."
    ),
    auth=Bearer(),
    parser=Plain(),
    docs=Reference(),
    docs_url="/docs",
)
api.add_router("/servers", servers.router)
api.add_router("/servers", server_copies.router)
api.add_router("/servers", server_traffic.router)
api.add_router("/servers", server_access.router)
api.add_router("/addresses", addresses.router)
api.add_router("/servers", server_managed.router)
api.add_router("", orders.router)
api.add_router("/subscriptions", subscriptions.router)
api.add_router("", transfers.router)
api.add_router("/invoices", invoices.router)
api.add_router("/invoices", contests.router)
api.add_router("", payments.router)
api.add_router("/mandates", mandates.router)
api.add_router("/funds", funds.router)
api.add_router("/quotes", quotes.router)
api.add_router("/spending", spending.router)
api.add_router("/cases", cases.router)
api.add_router("/reports", reports.router)
api.add_router("/packs", packs.router)
api.add_router("/usage", usage.router)
problems.install(api)

anything_else = Router()


@anything_else.api_operation(
    ["GET", "POST", "PUT", "PATCH", "DELETE"], "/{path:rest}", include_in_schema=False, auth=None
)
def nothing_here(request: HttpRequest, rest: str) -> None:
    """Any other address under the API is a problem too, not a page."""
    raise Http404


api.add_router("", anything_else)
