"""Commands for the topics: emit, tail, lag."""

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NoReturn

import typer
from rich.table import Table

from events.topics import TOPICS
from infra.cli import shared
from infra.errors import RejectError

if TYPE_CHECKING:
    from infra.kafka.emitting import Sent

SHOWN = 2_000
"""Characters of an event that a person gets to see; --json gives all."""
TopicName = Annotated[str, typer.Argument(metavar="TOPIC", help="One of the loop's topics.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (emit, tail, lag):
        app.command()(command)


def _require_known(topic: str) -> None:
    """Refuse a topic that is none of ours; the broker would make up a new one, or wait for it.

    Raises:
        RejectError: unknown topic.
    """
    if topic not in TOPICS:
        message = f"unknown topic {shared.plain(topic)}; known: {', '.join(TOPICS)}"
        raise RejectError(message)


def emit(
    context: typer.Context,
    topic: TopicName,
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="JSON lines; - is standard input.")] = "-",
    key: Annotated[str | None, typer.Option(help="Key of every record; none without it.")] = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Publish each line as a record, its bytes as they are, and wait for the broker's acknowledgement.

    Nothing is checked here: a line that is no event of the topic becomes a dead letter with the reason.

    Example: nepse emit actuals events.jsonl --key NABIL
    """
    from infra.kafka import emitting  # noqa: PLC0415

    _require_known(topic)
    settings = shared.reachable(shared.settings_of(context, home))
    with _open(file) as lines:
        sent = emitting.emit(settings, topic, None if key is None else os.fsencode(key), _records(lines))
    if as_json:
        shared.print_json({"topic": topic, "records": len(sent), "partitions": _by_partition(sent)})
    else:
        _say_sent(topic, sent)


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    """Open the input as bytes.

    Raises:
        RejectError: it can't be read.
    """
    if file == "-":
        if sys.stdin.isatty():
            shared.err.print("reading lines from the terminal; Ctrl-D ends", style="dim")
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")  # noqa: PTH123  (closed by the caller)
    except OSError as error:
        message = f"can't read {shared.plain(file)}: {error.strerror}"
        raise RejectError(message) from error


def _records(lines: BinaryIO) -> Iterator[bytes]:
    """Give every line that is not empty, without the line feed that ends it."""
    for line in lines:
        if line.strip():
            yield line.removesuffix(b"\n")


def _by_partition(sent: "list[Sent]") -> list[dict[str, int]]:
    counts = Counter(one.partition for one in sent)
    return [
        {
            "partition": number,
            "records": counts[number],
            "first": min(one.offset for one in sent if one.partition == number),
            "last": max(one.offset for one in sent if one.partition == number),
        }
        for number in sorted(counts)
    ]


def _say_sent(topic: str, sent: "list[Sent]") -> None:
    places = [f"{topic}-{p['partition']} [{p['first']}..{p['last']}]" for p in _by_partition(sent)]
    text = f"published {len(sent)} records: {', '.join(places)}" if sent else "no line, nothing published"
    shared.out.print(text, highlight=False, markup=False, soft_wrap=True)
    if sent:
        shared.err.print(f"next: nepse tail {topic} --from-beginning, or nepse lag", highlight=False)


def tail(
    context: typer.Context,
    topic: TopicName,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All that is there, not only what comes.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many.", show_default=False)] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds.", show_default=False)
    ] = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Show a topic's committed records as they come, until Ctrl-C, --count or --timeout.

    With --json one object a line: topic, partition, offset, key, headers, event (null, and raw beside it,
    where the record is not JSON).

    Example: nepse tail predictions --from-beginning --count 3 --json
    """
    from infra.kafka.tailing import follow  # noqa: PLC0415

    _require_known(topic)
    settings = shared.reachable(shared.settings_of(context, home))
    show = _json_line if as_json else _text_line
    started = partial(_say_started, topic, from_beginning)
    records = follow(settings, topic, from_beginning=from_beginning, seconds=timeout, started=started)
    with suppress(KeyboardInterrupt), closing(records):
        for record in islice(records, count):
            sys.stdout.write(show(record) + "\n")
            sys.stdout.flush()


def _say_started(topic: str, from_beginning: bool) -> None:
    """Tell who waits for something new that the waiting has begun."""
    if not from_beginning:
        shared.err.print(f"{topic}: what comes from now on; Ctrl-C ends", style="dim", highlight=False)


def _json_line(record: Any) -> str:
    shown = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        **_event(record.value),
    }
    return json.dumps(shown, allow_nan=False)  # ASCII: nothing in it can move a terminal's cursor


def _event(value: bytes | None) -> dict[str, Any]:
    """Decode a record strictly; what is not JSON, NaN and infinity included, stays text beside a null."""
    try:
        return {"event": json.loads(value or b"null", parse_constant=_no_number, parse_float=_finite)}
    except (ValueError, RecursionError):
        return {"event": None, "raw": _text(value)}


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _no_number(text)
    return number


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _text_line(record: Any) -> str:
    text = _text(record.value) or "(no value)"
    cut = f"{text[:SHOWN]}… ({len(text)} characters)" if len(text) > SHOWN else text
    headers = "".join(f" {name}={_text(value)}" for name, value in record.headers)
    key = _text(record.key) if record.key is not None else "(no key)"
    return shared.plain(f"{record.topic}-{record.partition}@{record.offset} {key}{headers[:SHOWN]} {cut}")


def lag(context: typer.Context, home: shared.Home = None, as_json: shared.AsJson = False) -> None:
    """Show how far each flow's group is behind: records, and the age of the oldest one not processed.

    Example: nepse lag --json
    """
    from infra.kafka import clients  # noqa: PLC0415
    from infra.kafka.lag import lags  # noqa: PLC0415

    settings = shared.reachable(shared.settings_of(context, home))
    with clients.answering(settings):
        rows = [row.as_dict() for row in lags(settings)]
    if as_json:
        shared.print_json(rows)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("group", "topic", "partition", "committed", "end", "lag", "seconds behind"):
        table.add_column(name, justify="left" if name in {"group", "topic"} else "right")
    for row in rows:
        table.add_row(*("missing" if cell is None else str(cell) for cell in row.values()))
    shared.out.print(table)
    if any(row["lag"] for row in rows):
        shared.err.print("next: nepse status shows whether the sensors are at work", highlight=False)
