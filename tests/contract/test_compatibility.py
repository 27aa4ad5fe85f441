"""The compatibility check against cases for each rule, and against a real validator on random schemas."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, Field, create_model

from events.compatibility import RULES, incompatibilities
from events.payloads import PAYLOADS
from events.schemas import schema
from events.subschemas import Schema, bare

SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _schema(**fields: Any) -> Schema:
    """An event's schema from fields; a plain type is required, a tuple adds the default."""
    definitions = {name: kind if isinstance(kind, tuple) else (kind, ...) for name, kind in fields.items()}
    return bare(create_model("Event", **definitions).model_json_schema()) | {"title": "Event"}


def _short(limit: int) -> Any:
    return Annotated[str, Field(max_length=limit)]


class _Leaf(BaseModel):
    size: int


class _WideLeaf(BaseModel):
    size: float


class _Tree(BaseModel):
    name: str
    children: list["_Tree"] = []


class _OtherTree(BaseModel):
    name: str
    children: "list[_OtherTree] | None" = []


def _closed(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "title": "Event",
        "properties": {"x": {"type": "object", "properties": properties, "additionalProperties": False}},
    }


# rule: (old, new, an event that proves it or None where only the meaning changes, words of the sentence)
CASES: dict[str, tuple[Schema, Schema, Any, str]] = {
    "type": (_schema(x=int), _schema(x=bool), {"x": 3}, "x no longer accepts integer"),
    "value": (_schema(x=Literal["a", "b"]), _schema(x=Literal["a"]), {"x": "b"}, "x accepts"),
    "minimum": (
        _schema(x=Annotated[int, Field(ge=0)]),
        _schema(x=Annotated[int, Field(gt=0)]),
        {"x": 0},
        "x went from minimum 0 to exclusiveMinimum 0: old events may break it",
    ),
    "maximum": (
        _schema(x=Annotated[float, Field(le=9)]),
        _schema(x=float),
        {"x": 10.5},
        "x went from maximum 9 to no maximum: old readers refuse",
    ),
    "minLength": (_schema(x=str), _schema(x=Annotated[str, Field(min_length=1)]), {"x": ""}, "minLength 1"),
    "maxLength": (
        _schema(x=_short(64)),
        _schema(x=_short(32)),
        {"x": "a" * 33},
        "from maxLength 64 to maxLength 32",
    ),
    "minItems": (
        _schema(x=list[int]),
        _schema(x=Annotated[list[int], Field(min_length=1)]),
        {"x": []},
        "minItems 1",
    ),
    "maxItems": (
        _schema(x=Annotated[list[int], Field(max_length=2)]),
        _schema(x=list[int]),
        {"x": [1, 2, 3]},
        "from maxItems 2 to no maxItems",
    ),
    "pattern": (
        _schema(x=str),
        _schema(x=Annotated[str, Field(pattern="^a")]),
        {"x": "b"},
        "must now match ^a",
    ),
    "format": (
        {"title": "Event", "type": "object", "properties": {"x": {"type": "string"}}},
        {"title": "Event", "type": "object", "properties": {"x": {"type": "string", "format": "date"}}},
        {"x": "soon"},
        "must now be a date",
    ),
    "items": (
        _schema(x=tuple[int, str]),
        _schema(x=tuple[int, int]),
        {"x": [1, "a"]},
        "x.[1] no longer accepts",
    ),
    "required": (
        _schema(x=(str | None, None)),
        _schema(x=str | None),
        {},
        "Event: field x became required: old events lack it",
    ),
    "properties": (_schema(x=_Leaf), _schema(x=_WideLeaf), {"x": {"size": 0.5}}, "x.size may now be number"),
    "undeclared": (
        _schema(x=dict[str, int]),
        _schema(x=dict[str, str]),
        {"x": {"a": 1}},
        "x.* no longer accepts integer",
    ),
    "default": (_schema(x=(int, 0)), _schema(x=(int, 1)), None, "x changed its default from 0 to 1"),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_refuses_and_nothing_else_would(rule: str) -> None:
    """The rule finds its case, names the field, and without it the case would pass."""
    old, new, _, words = CASES[rule]
    assert any(words in sentence for sentence in incompatibilities(old, new))
    assert incompatibilities(old, new, {name: check for name, check in RULES.items() if name != rule}) == []


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_works_in_both_directions(rule: str) -> None:
    """What old readers refuse is as bad as what old events lack."""
    old, new, _, _ = CASES[rule]
    assert incompatibilities(new, old)


@pytest.mark.parametrize("rule", sorted(CASES.keys() - {"default"}))
def test_each_refusal_has_a_witness(rule: str) -> None:
    """A real validator accepts the event under one version and refuses it under the other."""
    old, new, witness, _ = CASES[rule]
    answers = {_validator(side).is_valid(witness) for side in (old, new)}
    assert answers == {True, False}


MORE = {
    "required field removed": (
        _schema(x=str, y=str),
        _schema(x=str),
        "y was removed: old readers require it",
    ),
    "required became optional": (
        _schema(x=str),
        _schema(x=(str, "")),
        "x is optional now: old readers require it",
    ),
    "null allowed": (_schema(x=str), _schema(x=str | None), "x may now be null: old readers refuse it"),
    "null forbidden": (_schema(x=str | None), _schema(x=str), "x no longer accepts null"),
    "widened number": (_schema(x=int), _schema(x=float), "x may now be number: old readers refuse it"),
    "enum grew": (_schema(x=Literal["a"]), _schema(x=Literal["a", "b"]), 'x may now be "b"'),
    "free text became an enum": (_schema(x=str), _schema(x=Literal["a", "b"]), "x no longer accepts string"),
    "inside a union": (_schema(x=_short(9) | None), _schema(x=_short(8) | None), "x went from maxLength 9"),
    "inside a list": (_schema(x=list[_Leaf]), _schema(x=list[_WideLeaf]), "x.[].size may now be number"),
    "tuple grew": (_schema(x=tuple[int, int]), _schema(x=tuple[int, int, int]), "x went from"),
    "tuple against list": (_schema(x=tuple[int, int]), _schema(x=list[int]), "x went from minItems 2"),
    "map became a model": (_schema(x=dict[str, str]), _schema(x=_Leaf), "x.size no longer accepts string"),
    "anything became something": (_schema(x=Any), _schema(x=int), "x no longer accepts anything"),
    "recursive": (_schema(x=_Tree), _schema(x=_OtherTree), "x.children may now be null"),
    "closed reader": (_closed(a={"type": "null"}), _closed(), "x.a is refused now: old events hold it"),
    "closed old reader": (_closed(), _closed(a={"type": "null"}), "x.a is new: old readers refuse it"),
}


@pytest.mark.parametrize("name", MORE)
def test_breaking_changes_are_told_by_field(name: str) -> None:
    """Each sentence begins with the event and names the place."""
    old, new, words = MORE[name]
    found = incompatibilities(old, new)
    assert any(words in sentence for sentence in found), found
    assert all(sentence.startswith("Event: field x") or "field y" in sentence for sentence in found)


FINE = {
    "optional field added": (_schema(x=int), _schema(x=int, y=(str | None, None))),
    "optional field removed": (_schema(x=int, y=(str | None, None)), _schema(x=int)),
    "described and retitled": (_schema(x=int), _schema(x=Annotated[int, Field(title="X", description="x")])),
    "union reordered": (_schema(x=int | None | str), _schema(x=str | int | None)),
    "enum reordered": (_schema(x=Literal["a", "b"]), _schema(x=Literal["b", "a"])),
    "definition renamed": (_schema(x=_Leaf), _schema(x=type("Renamed", (_Leaf,), {}))),
    "recursive": (_schema(x=_Tree), _schema(x=_Tree)),
    "map": (_schema(x=dict[str, float | None]), _schema(x=dict[str, float | None], y=(int, 0))),
}


@pytest.mark.parametrize("name", FINE)
def test_compatible_changes_pass_both_ways(name: str) -> None:
    """A guard that cries wolf would be switched off."""
    old, new = FINE[name]
    assert incompatibilities(old, new) == []
    assert incompatibilities(new, old) == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "array", "uniqueItems": True},
        {"type": "number", "multipleOf": 2},
        {"type": "object", "patternProperties": {}},
        {"type": "object", "propertyNames": {"maxLength": 3}},
        {"type": "string", "minimum": 3},
        {"type": ["string", "null"]},
        {"oneOf": [{"type": "string"}]},
        {"allOf": [{"type": "string"}]},
        {"not": {"type": "string"}},
        {"$ref": "#/$defs/Nowhere"},
        {"$ref": "elsewhere.json"},
        {"anyOf": [{"type": "string"}], "maxLength": 3},
        {"type": "array", "items": {"type": "array", "contains": {}}},
        {"type": "array", "items": False},
        {"type": "object", "additionalProperties": {"minProperties": 2}},
        {"type": "object", "properties": {"deep": {"type": "string", "contentEncoding": "base64"}}},
    ],
)
def test_what_the_check_does_not_know_is_refused(part: Schema) -> None:
    """An unknown keyword might break a reader, wherever it stands and although nothing changed."""
    strange = {"title": "Event", "type": "object", "properties": {"x": part}}
    plain = {"title": "Event", "type": "object"}
    for old, new in ((strange, strange), (strange, plain), (plain, strange)):
        assert any(sentence.startswith("Event: /x") for sentence in incompatibilities(old, new))


def test_a_property_may_be_called_like_a_keyword() -> None:
    """Names are not keywords: stripping annotations keeps a property called title."""
    old = _schema(title=str, description=int)
    assert set(old["properties"]) == {"title", "description"}
    assert incompatibilities(old, _schema(title=str, description=str))


@pytest.mark.parametrize("event", PAYLOADS)
def test_every_model_is_understood_and_compatible_with_itself(event: str) -> None:
    """The check knows each keyword that today's models emit."""
    own = schema(PAYLOADS[event])
    assert incompatibilities(own, own) == []
    assert incompatibilities(bare(own), own) == []


# --- random schemas, judged by a real validator -----------------------------------------------------------

_LIMITS = st.integers(0, 3)
_SCALARS = st.one_of(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "string", "format": "date"}, {}]),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": _LIMITS, "maxLength": _LIMITS}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"pattern": st.sampled_from(["^a", "b$"])}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional=dict.fromkeys(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"), _LIMITS),
    ),
    st.builds(
        lambda values: {"enum": values}, st.lists(st.sampled_from(["a", "ab", 1, 2, None, True]), min_size=1)
    ),
    st.builds(lambda value: {"const": value}, st.sampled_from(["a", "", 1, False])),
)


def _deeper(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    return st.one_of(
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner},
            optional={
                "prefixItems": st.lists(inner, max_size=2),
                "minItems": _LIMITS,
                "maxItems": _LIMITS,
            },
        ),
        st.builds(
            lambda fields, needed, more: {
                "type": "object",
                "properties": fields,
                "required": [name for name in fields if name in needed],
                **more,
            },
            names,
            st.sets(st.sampled_from("ab")),
            st.fixed_dictionaries({}, optional={"additionalProperties": st.one_of(st.booleans(), inner)}),
        ),
    )


SCHEMAS = st.recursive(_SCALARS, _deeper, max_leaves=5)
_TEXTS = st.sampled_from(["", "a", "b", "ab", "aab", "bba", "2024-03-03"])
_NUMBERS = st.one_of(st.integers(-1, 4), st.sampled_from([0.5, 2.5]))
_VALUES = st.one_of(st.none(), st.booleans(), _TEXTS, _NUMBERS)


def _instances(one: Schema) -> st.SearchStrategy[Any]:
    """Values around what a schema describes, on both sides of its limits."""
    if "anyOf" in one:
        return st.one_of([_instances(option) for option in one["anyOf"]])
    if one.get("type") == "array":
        named = [_instances(part) for part in one.get("prefixItems", [])]
        rest = st.lists(_instances(one.get("items", {})), max_size=4 - len(named))
        return st.builds(lambda first, more: [*first, *more], st.tuples(*named), rest)
    if one.get("type") == "object":
        more = one.get("additionalProperties")
        fields = {name: _instances(part) for name, part in one["properties"].items()}
        other = {name: _instances(more if isinstance(more, dict) else {}) for name in "abc" if more}
        return st.fixed_dictionaries({}, optional=other | fields)
    kinds = {"string": _TEXTS, "integer": _NUMBERS, "number": _NUMBERS}
    pools = [st.sampled_from([one["const"]])] if "const" in one else []
    pools += [st.sampled_from(one["enum"])] if "enum" in one else []
    return st.one_of([*pools, kinds.get(str(one.get("type")), _VALUES)])


def _validator(one: Schema) -> Draft202012Validator:
    return Draft202012Validator(one, format_checker=FormatChecker())


def _written_by(one: Schema) -> Schema:
    """The same schema as a writer keeps it: no undeclared fields."""
    closed = {
        key: {name: _written_by(part) for name, part in value.items()}
        if key in ("properties", "$defs")
        else [_written_by(part) if isinstance(part, dict) else part for part in value]
        if key in ("anyOf", "prefixItems")
        else _written_by(value)
        if isinstance(value, dict)
        else value
        for key, value in one.items()
    }
    return {"additionalProperties": False} | closed if one.get("type") == "object" else closed


@st.composite
def _changed(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """A schema and a variant of it: one part was replaced, so that most of both is alike."""
    old = draw(st.one_of(_SCALARS.map(dict), SCHEMAS.map(dict)))
    return old, draw(_variant(old))


def _variant(one: Schema) -> st.SearchStrategy[Schema]:
    """The schema with one small change: a keyword less, a limit moved, a part or a field altered."""
    known = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "additionalProperties"}
    known |= {"minLength", "maxLength", "pattern", "format", "minItems", "maxItems"}
    less = [{k: v for k, v in one.items() if k != key} for key in one.keys() & known]
    moved = [one | {key: one[key] + 1} for key in one if type(one[key]) is int and key != "const"]
    fewer = [one | {key: one[key][1:]} for key in ("enum", "anyOf", "required") if len(one.get(key, [])) > 1]
    options = [st.sampled_from(group) for group in (less, moved, fewer) if group]
    if "items" in one:
        options.append(_variant(one["items"]).map(lambda part: one | {"items": part}))
    if one.get("type") == "object":
        fields = one["properties"]
        options += [
            _variant(fields[name]).map(lambda part, name=name: _with(one, name, part)) for name in fields
        ]
        options += [SCHEMAS.map(lambda part, name=name: _with(one, name, part)) for name in "ab"]
        options.append(st.just(one | {"required": list(fields)}))
        options.append(_SCALARS.map(lambda part: one | {"additionalProperties": part}))
    return st.one_of(options or [st.sampled_from([{"type": "string"}, {"const": "a"}, {"enum": [1, "ab"]}])])


def _with(one: Schema, name: str, part: Schema) -> Schema:
    return one | {"properties": one["properties"] | {name: part}}


@SETTINGS
@given(_changed(), st.data())
def test_what_passes_is_read_by_both_sides(pair: tuple[Schema, Schema], data: st.DataObject) -> None:
    """Whenever the check finds nothing, whatever one side writes the other side's validator accepts."""
    old, new = pair
    if incompatibilities(old, new):
        return
    for writer, reader in ((old, new), (new, old)):
        writes, reads = _validator(_written_by(writer)), _validator(reader)
        for value in data.draw(st.lists(_instances(writer), min_size=3, max_size=6)):
            assert not writes.is_valid(value) or reads.is_valid(value), (value, writer, reader)


@SETTINGS
@given(SCHEMAS)
def test_a_schema_that_did_not_change_is_compatible(one: Schema) -> None:
    """No false alarm on identity, whatever the shape."""
    assert incompatibilities(one, one) == []


@SETTINGS
@given(_changed())
def test_the_order_of_versions_does_not_matter(pair: tuple[Schema, Schema]) -> None:
    """Compatibility in both directions is symmetric, only the sentences differ."""
    old, new = pair
    assert bool(incompatibilities(old, new)) == bool(incompatibilities(new, old))
