"""Tells whether readers of one schema survive writers of another, and if not, which field and why.

A schema stands for two sets: what its *writers* may write (declared fields only) and what its *readers*
accept (undeclared fields are ignored). A change is compatible when the old writers' set lies within the new
readers' (backward) and the new writers' within the old readers' (forward). Only keywords that pydantic
emits for our payloads are understood; any other is refused, since what is not understood may break.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from events.subschemas import Schema, alternatives, described, strange


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that the writer may write and the reader refuses, told for either direction."""

    path: tuple[str, ...]
    backward: str
    forward: str

    def sentence(self, *, backward: bool) -> str:
        """Name the field and the rule."""
        place = f"field {'.'.join(self.path)}" if self.path else "the event"
        return f"{place} {self.backward if backward else self.forward}"


@dataclass(frozen=True, slots=True)
class Pair:
    """What a writer may write in one place, and what the reader accepts there."""

    writer: Schema
    reader: Schema
    roots: tuple[Schema, Schema]
    rules: "Rules"
    path: tuple[str, ...] = ()
    above: frozenset[str] = field(default_factory=frozenset)

    def into(self, step: str, writer: Schema, reader: Schema) -> list[Gap]:
        """Compare one level down."""
        return _gaps(replace(self, writer=writer, reader=reader, path=(*self.path, step)))

    def gap(self, backward: str, forward: str, *steps: str) -> Gap:
        """Report this place, or one below it."""
        return Gap((*self.path, *steps), backward, forward)


Rule = Callable[[Pair], Iterator[Gap]]
Rules = dict[str, Rule]


def _gaps(pair: Pair) -> list[Gap]:
    """Every alternative of the writer must be covered by a single alternative of the reader."""
    key = json.dumps([pair.writer, pair.reader], sort_keys=True)
    if key in pair.above:  # a recursive type met itself: whatever differs is reported one turn above
        return []
    inner = replace(pair, above=pair.above | {key})
    accepted = alternatives(pair.reader, pair.roots[1])
    return [
        gap
        for alternative in alternatives(pair.writer, pair.roots[0])
        for gap in _uncovered(replace(inner, writer=alternative), accepted)
    ]


def _uncovered(pair: Pair, accepted: list[Schema]) -> list[Gap]:
    answers = [(reader, _apply(replace(pair, reader=reader))) for reader in accepted]
    if any(not gaps for _, gaps in answers):
        return []
    alike = [gaps for reader, gaps in answers if reader.get("type") == pair.writer.get("type")]
    if len(answers) == 1 or len(alike) == 1:
        return (alike or [answers[0][1]])[0]
    return [_other_kind(pair)]


def _apply(pair: Pair) -> list[Gap]:
    return [gap for rule in pair.rules.values() for gap in rule(pair)]


def _type(pair: Pair) -> Iterator[Gap]:
    wrote, reads = pair.writer.get("type"), pair.reader.get("type")
    if reads not in (None, wrote) and (wrote, reads) != ("integer", "number"):
        yield _other_kind(pair)


def _other_kind(pair: Pair) -> Gap:
    what = described(pair.writer)
    return pair.gap(
        f"no longer accepts {what}: old events hold it", f"may now be {what}: old readers refuse it"
    )


def _value(pair: Pair) -> Iterator[Gap]:
    if "const" in pair.reader and pair.reader != pair.writer:
        wrote, reads = described(pair.writer), described(pair.reader)
        yield pair.gap(
            f"accepts {reads} and no longer {wrote}: old events hold it",
            f"may now be {wrote} and not only {reads}: old readers refuse it",
        )


def _bound(names: tuple[str, ...], sign: int) -> Rule:
    """A limit that may not be tighter for the reader; `names[1]`, where given, excludes the limit itself."""

    def limit(schema: Schema) -> tuple[float, bool]:
        found = [(sign * schema[name], at == 1) for at, name in enumerate(names) if name in schema]
        return max(found, default=(float("-inf"), False))

    def rule(pair: Pair) -> Iterator[Gap]:
        if "const" not in pair.reader and limit(pair.reader) > limit(pair.writer):
            wrote, reads = (_limits(side, names) for side in (pair.writer, pair.reader))
            yield pair.gap(
                f"went from {wrote} to {reads}: old events may break it",
                f"went from {reads} to {wrote}: old readers refuse what breaks theirs",
            )

    return rule


def _limits(schema: Schema, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {schema[name]}" for name in names if name in schema) or f"no {names[0]}"


def _pattern(pair: Pair) -> Iterator[Gap]:
    reads, wrote = pair.reader.get("pattern"), pair.writer.get("pattern")
    constant = pair.writer.get("const")
    if reads is None or reads == wrote or (isinstance(constant, str) and re.search(reads, constant)):
        return
    yield pair.gap(
        f"must now match {reads}: old events may not",
        f"need no longer match {reads}: old readers refuse what does not",
    )


def _format(pair: Pair) -> Iterator[Gap]:
    reads = pair.reader.get("format")
    if reads not in (None, pair.writer.get("format")):
        yield pair.gap(
            f"must now be a {reads}: old events may hold other text",
            f"need no longer be a {reads}: old readers refuse other text",
        )


def _items(pair: Pair) -> Iterator[Gap]:
    if pair.writer.get("type") != "array" or pair.reader.get("type") != "array":
        return
    prefixes = [side.get("prefixItems", []) for side in (pair.writer, pair.reader)]
    named = max(map(len, prefixes))
    longest = pair.writer.get("maxItems", named + 1)
    for at in range(min(longest, named + 1)):
        sides = [
            prefix[at] if at < len(prefix) else side.get("items", {})
            for side, prefix in zip((pair.writer, pair.reader), prefixes, strict=True)
        ]
        yield from pair.into("[]" if at == named else f"[{at}]", *sides)


def _objects(pair: Pair) -> bool:
    return pair.writer.get("type") == pair.reader.get("type") == "object"


def _required(pair: Pair) -> Iterator[Gap]:
    if not _objects(pair):
        return
    for name in pair.reader.get("required", []):
        if name not in pair.writer.get("required", []):
            gone = "is optional now" if name in pair.writer.get("properties", {}) else "was removed"
            yield pair.gap("became required: old events lack it", f"{gone}: old readers require it", name)


def _properties(pair: Pair) -> Iterator[Gap]:
    writes, reads = (side.get("properties", {}) for side in (pair.writer, pair.reader))
    for name in writes.keys() & reads.keys() if _objects(pair) else ():
        yield from pair.into(name, writes[name], reads[name])


def _undeclared(pair: Pair) -> Iterator[Gap]:
    """Fields that one side declares and the other meets among its additional properties."""
    if not _objects(pair):
        return
    writes, reads = (side.get("properties", {}) for side in (pair.writer, pair.reader))
    more = pair.writer.get("additionalProperties", False)
    accepts = pair.reader.get("additionalProperties", True)
    met = {name: (writes[name], accepts) for name in writes.keys() - reads.keys()}
    if more is not False:
        met |= {name: (more, reads[name]) for name in reads.keys() - writes.keys()} | {"*": (more, accepts)}
    for name, (wrote, read) in met.items():
        if read is False:
            yield pair.gap("is refused now: old events hold it", "is new: old readers refuse it", name)
        else:
            yield from pair.into(name, _schema(wrote), _schema(read))


def _schema(value: Schema | bool) -> Schema:
    return value if isinstance(value, dict) else {}


def _default(pair: Pair) -> Iterator[Gap]:
    """An absent field may not change its meaning, although both readers accept the event."""
    writes, reads = (side.get("properties", {}) for side in (pair.writer, pair.reader))
    needed = {*pair.writer.get("required", []), *pair.reader.get("required", [])}
    for name in (writes.keys() & reads.keys()) - needed:
        wrote, read = (_defaulted(side[name]) for side in (writes, reads))
        if wrote != read:
            text = "changed its default from {} to {}: events without it would change their meaning"
            yield pair.gap(text.format(wrote, read), text.format(read, wrote), name)


def _defaulted(schema: Schema) -> str:
    return json.dumps(schema["default"], sort_keys=True) if "default" in schema else "none"


RULES: Rules = {
    "type": _type,
    "value": _value,
    "minimum": _bound(("minimum", "exclusiveMinimum"), 1),
    "maximum": _bound(("maximum", "exclusiveMaximum"), -1),
    "minLength": _bound(("minLength",), 1),
    "maxLength": _bound(("maxLength",), -1),
    "minItems": _bound(("minItems",), 1),
    "maxItems": _bound(("maxItems",), -1),
    "pattern": _pattern,
    "format": _format,
    "items": _items,
    "required": _required,
    "properties": _properties,
    "undeclared": _undeclared,
    "default": _default,
}
"""What is compared, by name; a rule sees one alternative of the writer and one of the reader."""


def incompatibilities(old: Schema, new: Schema, rules: Rules = RULES) -> list[str]:
    """Say what stops new readers from reading old events, or old readers from reading new ones.

    Both schemas are JSON Schemas (draft 2020-12) of a whole event with its name as `title`. An empty list
    means compatible in both directions; each sentence names event, field and rule.
    """
    sentences = [text for schema in (old, new) for text in strange(schema, schema)]
    if not sentences:
        backward = _gaps(Pair(writer=old, reader=new, roots=(old, new), rules=rules))
        forward = _gaps(Pair(writer=new, reader=old, roots=(new, old), rules=rules))
        sentences = [gap.sentence(backward=True) for gap in backward]
        sentences += [gap.sentence(backward=False) for gap in forward]
    return [f"{new.get('title', 'event')}: {text}" for text in sorted(set(sentences))]
