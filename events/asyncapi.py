"""The contract as an AsyncAPI 3.0 document, made from the topics and the payload models.

`python -m events.asyncapi --check` refuses a committed document that differs; `--write` renews it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from events.kept import keep
from events.payloads import PAYLOADS, Payload
from events.schemas import schema
from events.subschemas import DEFINITIONS
from events.topics import TOPICS, Topic

DOCUMENT = Path(__file__).parents[1] / "docs" / "reference" / "asyncapi.yaml"
_SCHEMAS = "#/components/schemas/"
_KAFKA = "0.5.0"  # version of the Kafka bindings
_LETTER = "DeadLetter"
_OPERATIONS = {"send": "publish", "receive": "follow"}
_TRACED = "TraceHeaders"
_TRACE = {
    "type": "string",
    "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
    "description": "The trace that the event belongs to (https://www.w3.org/TR/trace-context/). Ours is named"
    " by the correlation id; what another writer names is kept in what follows from its event.",
}
_REFUSAL = ("letter_id", "reason", "error_class", "source_topic", "source_partition", "source_offset")
_REFUSED_BY = ("flow", "run_id", "attempt")

Json = dict[str, Any]


def document(topics: Mapping[str, Topic] = TOPICS, payloads: Mapping[str, type[Payload]] = PAYLOADS) -> Json:
    """Describe every topic, what it carries and how it is keyed and kept.

    The version grows with each compatible change of any payload.
    """
    changes = sum(payload.schema_version - 1 for payload in payloads.values())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Nepal Stock Exchange forecasting loop",
            "version": f"1.{changes}.0",
            "description": "Events are JSON in UTF-8: a payload in an envelope. Unknown fields are ignored.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic) for name, topic in topics.items()},
        "operations": {
            f"{verb}-{name}": {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
            for name in topics
            for action, verb in _OPERATIONS.items()
        },
        "components": {
            "messages": {
                name: _message(topic, name) for topic in topics.values() for name in _carried(topic)
            },
            "schemas": dict(entry for payload in payloads.values() for entry in _schemas(payload))
            | {_TRACED: _headers(), f"{_LETTER}Headers": _headers(*_REFUSAL, *_REFUSED_BY)},
        },
    }


def _carried(topic: Topic) -> tuple[str, ...]:
    return topic.events or (_LETTER,)


def _channel(topic: Topic) -> Json:
    width = "as many partitions as the stack is set to" if topic.spread else "one partition"
    kafka = {
        "topic": topic.name,
        **({} if topic.spread else {"partitions": 1}),
        "topicConfiguration": {name: int(value) for name, value in topic.config.items()},
        "bindingVersion": _KAFKA,
    }
    return {
        "address": topic.name,
        "description": f"Keyed by {topic.key}; {width}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _carried(topic)},
        "bindings": {"kafka": kafka},
    }


def _message(topic: Topic, name: str) -> Json:
    bindings = {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": _KAFKA}}
    if name == _LETTER:
        summary = (
            "A record that could not be processed: its original bytes, with the reason among the headers."
        )
        return {
            "name": name,
            "summary": summary,
            "contentType": "application/octet-stream",
            "headers": {"$ref": f"{_SCHEMAS}{_LETTER}Headers"},
            "bindings": bindings,
        }
    return {
        "name": name,
        "summary": (PAYLOADS[name].__doc__ or name).splitlines()[0],
        "headers": {"$ref": f"{_SCHEMAS}{_TRACED}"},
        "payload": {"$ref": f"{_SCHEMAS}{name}Event"},
        "bindings": bindings,
    }


def _headers(*named: str) -> Json:
    """Describe a record's headers: those that are always there, and the trace."""
    always = {name: {"type": "string"} for name in named}
    told: Json = {"type": "object", "properties": {**always, "traceparent": _TRACE}}
    return {**told, "required": list(named)} if named else told


def _schemas(payload: type[Payload]) -> Iterator[tuple[str, Json]]:
    """The envelope and the definitions below it, which the document keeps side by side."""
    whole = dict(schema(payload))
    for name, definition in whole.pop("$defs").items():
        yield name, _translated(definition)
    yield f"{payload.__name__}Event", _translated(whole)


def _translated(part: Any) -> Any:
    """From JSON Schema 2020-12 to the draft 7 that AsyncAPI builds on, with references into the document."""
    if isinstance(part, list):
        return [_translated(one) for one in part]
    if not isinstance(part, dict):
        return part.replace(DEFINITIONS, _SCHEMAS) if isinstance(part, str) else part
    return {"items" if key == "prefixItems" else key: _translated(value) for key, value in part.items()}


class _Plain(yaml.SafeDumper):
    """Writes out what occurs twice instead of pointing to it."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (the base class decides by the data)
        """No anchors: the document is for people."""
        return True


def text() -> str:
    """The document as it is committed."""
    return yaml.dump(document(), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the document; returns the exit code."""
    return keep("events.asyncapi", "Keep the AsyncAPI document.", text, DOCUMENT, arguments)


if __name__ == "__main__":
    sys.exit(main())
