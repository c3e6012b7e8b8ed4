"""The documentation page of the API, drawn from its own OpenAPI description: no script, in the panel's clothes."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

Schema = dict[str, Any]
METHOD_TONES = {"get": "info", "post": "good", "put": "warn", "patch": "warn", "delete": "bad"}


@dataclass(frozen=True)
class Field:
    """One value of an object, or one parameter. `shape`: the object it holds, if it does."""

    name: str
    type: str
    shape: str
    required: bool
    note: str
    place: str = ""


@dataclass(frozen=True)
class Endpoint:
    """One method of one address."""

    method: str
    tone: str
    path: str
    anchor: str
    summary: str
    text: str
    open: bool
    parameters: list[Field]
    takes: Field | None
    gives: list[tuple[str, Field]]


@dataclass(frozen=True)
class Group:
    """The methods of one subject."""

    name: str
    endpoints: list[Endpoint] = field(default_factory=list)


def described(description: Schema) -> tuple[list[Group], dict[str, list[Field]]]:
    """An OpenAPI description as groups of endpoints, and the objects they speak of."""
    groups: dict[str, Group] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = next(iter(operation.get("tags", [])), "other")
            groups.setdefault(tag, Group(tag)).endpoints.append(_endpoint(method, path, operation))
    objects = {
        name: _fields(schema)
        for name, schema in description.get("components", {}).get("schemas", {}).items()
        if schema.get("properties")
    }
    return list(groups.values()), objects


def _endpoint(method: str, path: str, operation: Schema) -> Endpoint:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = [
        (code, _field("", answer["content"]["application/json"]["schema"], needed=True))
        for code, answer in operation.get("responses", {}).items()
        if "application/json" in answer.get("content", {})
    ]
    return Endpoint(
        method.upper(), METHOD_TONES.get(method, "neutral"), path,
        operation["operationId"].rpartition("_endpoints_")[2], operation.get("summary", ""),
        operation.get("description", ""), not operation.get("security"),
        [_parameter(each) for each in operation.get("parameters", [])],
        _field("", body, needed=True) if body else None, answers,
    )  # fmt: skip


def _parameter(given: Schema) -> Field:
    drawn = _field(given["name"], given["schema"], needed=given.get("required", False))
    return Field(drawn.name, drawn.type, "", drawn.required, given.get("description", "") or drawn.note, given["in"])


def _fields(schema: Schema) -> list[Field]:
    needed = set(schema.get("required", []))
    return [_field(name, each, needed=name in needed) for name, each in schema["properties"].items()]


def _field(name: str, schema: Schema, *, needed: bool) -> Field:
    kind, shape = _type(schema)
    return Field(name, kind, shape, needed, _note(schema))


def _type(schema: Schema) -> tuple[str, str]:
    """The type in words, and the name of the object in it."""
    if reference := schema.get("$ref"):
        return "object", reference.rpartition("/")[2]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            kinds = [_type(each) for each in schema[key]]
            return " or ".join(kind for kind, _ in kinds), next((shape for _, shape in kinds if shape), "")
    if schema.get("type") == "array":
        kind, shape = _type(schema.get("items", {}))
        return f"list of {kind}s" if kind else "list", shape
    kind = str(schema.get("type", "anything"))
    return (f"{kind} ({schema['format']})" if "format" in schema else kind), ""


def _note(schema: Schema) -> str:
    """What is said about a value, what it may be and what it is unless said."""
    parts = [schema["description"]] if schema.get("description") else []
    parts += [", ".join(map(str, schema["enum"]))] if "enum" in schema else []
    parts += [str(schema["const"])] if "const" in schema else []
    limits = [("at least", "minimum"), ("at most", "maximum"), ("at most so long:", "maxLength")]
    parts += [f"{word} {schema[key]}" for word, key in limits if key in schema]
    parts += [f"else {schema['default']}"] if schema.get("default") not in (None, "") else []
    return "; ".join(part.rstrip(".") for part in parts)


class Reference(DocsBase):
    """The page, as ninja asks for it."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        description = api.get_openapi_schema()
        groups, objects = described(description)
        context = {
            "info": description["info"], "groups": groups, "objects": objects,
            "file_url": self.get_openapi_url(api, kwargs), "base": request.build_absolute_uri("/"),
        }  # fmt: skip
        return render(request, "api/reference.html", context)
