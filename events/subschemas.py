"""JSON Schemas as pydantic writes them for our payloads: what binds, which alternatives, what is unknown."""

import json
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_ANNOTATIONS = {"title", "description", "examples", "deprecated"}
KEYWORDS: dict[str, set[str]] = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    "boolean": set(),
    "null": set(),
}
DEFINITIONS = "#/$defs/"
_NAMED = ("properties", "$defs")  # their keys are names, not keywords


def bare(schema: Schema) -> Schema:
    """The schema without its annotations: what is left is what binds writers and readers."""
    return {
        key: {name: bare(sub) for name, sub in value.items()} if key in _NAMED else _bare(value)
        for key, value in schema.items()
        if key not in _ANNOTATIONS
    }


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(part) for part in value]
    return bare(value) if isinstance(value, dict) else value


def alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """Resolve references and spread unions and enumerations, so that each alternative has one type."""
    if "$ref" in schema:
        return alternatives(root["$defs"][schema["$ref"].removeprefix(DEFINITIONS)], root)
    if "anyOf" in schema:
        return [one for option in schema["anyOf"] for one in alternatives(option, root)]
    if "enum" in schema:
        return [_constant(value) for value in schema["enum"]]
    return [_constant(schema["const"])] if "const" in schema else [schema]


def _constant(value: Any) -> Schema:
    """A single value, with the bounds that follow from it."""
    if isinstance(value, str):
        return {"type": "string", "const": value, "minLength": len(value), "maxLength": len(value)}
    if isinstance(value, bool) or value is None:
        return {"type": "null" if value is None else "boolean", "const": value}
    kind = "integer" if isinstance(value, int) else "number"
    return {"type": kind, "const": value, "minimum": value, "maximum": value}


def described(schema: Schema) -> str:
    """Name an alternative as a sentence may: its type, format or single value."""
    if "const" in schema:
        return json.dumps(schema["const"])
    return " ".join(filter(None, (str(schema.get("type", "anything")), schema.get("format"))))


def strange(schema: Any, root: Schema, path: str = "the event") -> Iterator[str]:
    """Say what in a schema is beyond these modules; a keyword passed over could hide a broken reader."""
    if not isinstance(schema, dict):
        yield f"{path} is {schema!r}, not a schema"
        return
    known = _known(schema) | _ANNOTATIONS | {"default"} | ({"$defs"} if schema is root else set())
    for keyword in sorted(schema.keys() - known):
        yield f"{path} uses {keyword}, which the check does not know here"
    reference = schema.get("$ref", DEFINITIONS)
    if reference != DEFINITIONS and reference.removeprefix(DEFINITIONS) not in root.get("$defs", {}):
        yield f"{path} refers to {reference}, which is not there"
    for step, part in _parts(schema):
        yield from strange(part, root, f"{path.removeprefix('the event')}/{step}")


def _known(schema: Schema) -> set[str]:
    """The keywords that may stand beside the one that decides the schema's kind."""
    for decisive in ("$ref", "anyOf"):
        if decisive in schema:
            return {decisive}
    if "enum" in schema or "const" in schema:
        return {"enum", "const", "type"}
    kind = schema.get("type")
    return KEYWORDS[kind] | {"type"} if isinstance(kind, str) and kind in KEYWORDS else set()


def _parts(schema: Schema) -> Iterator[tuple[str, Any]]:
    for keyword in _NAMED:
        yield from schema.get(keyword, {}).items()
    for keyword in ("anyOf", "prefixItems"):
        yield from ((f"{keyword}[{at}]", part) for at, part in enumerate(schema.get(keyword, [])))
    if "items" in schema:
        yield "items", schema["items"]
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield "*", schema["additionalProperties"]
