"""Reading and checking parameters as strictly as Stripe does: unknown, missing or wrongly typed ones are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from invoicing.gateways.fake.faults import Fault

KEY = re.compile(r"^[a-zA-Z_]\w*(\[\w*\])*$")


@dataclass(frozen=True)
class P:
    """One parameter: `kind` is str, int, bool, url, hash, map (metadata) or list."""

    kind: str = "str"
    required: bool = False
    choices: tuple[str, ...] = ()
    fields: Mapping[str, P] = field(default_factory=dict)
    item: P | None = None
    low: int | None = None
    high: int | None = None
    longest: int = 5000


Spec = Mapping[str, P]
METADATA = P("map")
EXPAND = P("list", item=P())


def decode(text: str) -> dict[str, Any]:
    """`a[b]=1&c[0]=2` to nested dicts; lists stay dicts with number keys until they are checked."""
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=500):
        if not KEY.match(key):
            raise Fault(f"Received unknown parameter: {key[:80]}", code="parameter_unknown", param=key[:80])
        path = re.findall(r"\w+|(?<=\[)(?=\])", key)
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise Fault(f"Invalid parameter: {key}", param=key)
        if path[-1] == "":
            node[str(len(node))] = value
        elif isinstance(node.get(path[-1]), dict):
            raise Fault(f"Invalid parameter: {key}", param=key)
        else:
            node[path[-1]] = value
    return tree


def check(given: Mapping[str, Any], spec: Spec, inside: str = "") -> dict[str, Any]:
    """The parameters with their types, or a Fault that names the first wrong one."""

    def name(key: str) -> str:
        return f"{inside}[{key}]" if inside else key

    for key in given:
        if key not in spec:
            raise Fault(f"Received unknown parameter: {name(key)}", code="parameter_unknown", param=name(key))
    for key, rule in spec.items():
        if rule.required and given.get(key) in (None, "", {}):
            raise Fault(f"Missing required param: {name(key)}.", code="parameter_missing", param=name(key))
    return {key: _value(value, spec[key], name(key)) for key, value in given.items()}


def _value(value: Any, rule: P, name: str) -> Any:
    if rule.kind == "map":
        return _metadata(value, name)
    if rule.kind == "hash":
        if not isinstance(value, dict):
            raise Fault("Invalid object", param=name)
        return check(value, rule.fields, name)
    if rule.kind == "list":
        if not isinstance(value, dict):
            raise Fault("Invalid array", param=name)
        return [_value(value[key], rule.item or P(), f"{name}[{key}]") for key in sorted(value, key=_position)]
    if not isinstance(value, str):
        raise Fault(f"Invalid string: {name}", param=name)
    return _scalar(value, rule, name)


def _scalar(value: str, rule: P, name: str) -> Any:
    if value == "":
        raise Fault(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{name}' cannot be unset.",
            code="parameter_invalid_empty",
            param=name,
        )
    if len(value) > rule.longest:
        raise Fault(
            f"Invalid string: {name} must be at most {rule.longest} characters",
            code="parameter_invalid_string",
            param=name,
        )
    if rule.choices and value not in rule.choices:
        raise Fault(f"Invalid {name}: must be one of {', '.join(rule.choices)}", param=name)
    if rule.kind == "bool":
        if value not in ("true", "false"):
            raise Fault(f"Invalid boolean: {value}", param=name)
        return value == "true"
    if rule.kind == "int":
        if not re.fullmatch(r"-?\d{1,12}", value):
            raise Fault(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        number = int(value)
        if rule.low is not None and number < rule.low:
            raise Fault(
                f"This value must be greater than or equal to {rule.low}.", code="parameter_invalid_integer", param=name
            )
        if rule.high is not None and number > rule.high:
            raise Fault(
                f"This value must be less than or equal to {rule.high}.", code="parameter_invalid_integer", param=name
            )
        return number
    if rule.kind == "url" and not re.match(r"https?://[^/\s]+", value):
        raise Fault("Not a valid URL", code="url_invalid", param=name)
    return value


def _metadata(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Fault("Invalid metadata: must be a hash of strings", param=name)
    if len(value) > 50:
        raise Fault("You cannot have more than 50 metadata keys.", param=name)
    for key, text in value.items():
        if len(key) > 40 or len(text) > 500:
            raise Fault("Metadata keys can have up to 40 characters, and values up to 500.", param=f"{name}[{key}]")
    return {key: text for key, text in value.items() if text != ""}


def _position(key: str) -> int:
    if not key.isdigit():
        raise Fault("Invalid array", param=key)
    return int(key)
