"""MAP 1: what people can do. Each room has its own page of this map; every view names its Action."""

from django.urls import include, path

from panel import health
from panel.core import palette, preferences

urlpatterns = [
    # the customer's Sandbox
    path("", include("panel.sandbox.urls")),
    path("", include("invoicing.urls")),  #      /services/ order, /billing/ invoices and means
    path("", include("servers.urls")),  #        /servers/ state, power; /keys/; /status/; /ops/servers/ the fleet
    path("", include("tickets.urls")),  #        /support/ requests
    path("", include("abuse.urls")),  #          /support/cases/, the public form /report/
    path("", include("panel.accounts.urls")),  # /contacts/, profile, tokens, /legal/
    path("account/", include("allauth.urls")),  # sign-up, log-in, second factor, sessions
    # the staff's console
    path("ops/", include("panel.console.urls")),
    path("ops/", include("tickets.staff_urls")),
    path("ops/", include("abuse.staff_urls")),
    path("ops/", include("invoicing.staff_urls")),
    # machines
    path("api/", include("panel.api.urls")),
    path("hooks/", include("invoicing.hook_urls")),
    path("hooks/", include("servers.hook_urls")),
    path("healthz", health.healthz, name="healthz"),
    # every page's own tools
    path("preferences/", preferences.save, name="preferences"),
    path("palette/", palette.search, name="palette"),
]
