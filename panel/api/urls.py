"""/api/v1/ and its documentation. What ninja answers by itself (405) becomes a problem here as well."""

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver
from django.views.decorators.csrf import csrf_exempt

from panel.api import actions, limits, problems
from panel.api.v1 import api

app_name = "api"
View = Callable[..., HttpResponse]


def _finished(view: View) -> View:
    """The view with the limit's headers, nothing kept by caches, and no bare error."""

    @wraps(view)
    def finished(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            response = problems.answer(404, "missing", "There is no such address.")
        if response.status_code == 405:
            allowed = response.headers.get("Allow", "")
            response = problems.answer(405, "method", "This address does not take this method.")
            response["Allow"] = allowed
        limits.tell(request, response)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    finished.action = actions.USE  # type: ignore[attr-defined]
    return csrf_exempt(finished)


def _patterns() -> list[URLPattern | URLResolver]:
    found: list[URLPattern | URLResolver] = list(api.urls[0])
    for pattern in found:
        if isinstance(pattern, URLPattern):
            pattern.callback = _finished(pattern.callback)
    return found


urlpatterns = [path("v1/", include(_patterns()))]
