"""The error join as the chapter has it: two dictionaries, one message after the other, a commit after each.

Its consumer begins at the oldest record here; as printed it would see only what comes after it has started.
"""

import argparse
import json
import sys
import time

from kafka import KafkaConsumer, KafkaProducer


def join(bootstrap: str, messages: int) -> dict[str, float]:
    """Join so many messages; tells how many errors were sent, and the seconds from the first poll on."""
    consumer = KafkaConsumer(
        "predictions",
        "actuals",
        bootstrap_servers=bootstrap,
        group_id="bench-chapter",
        value_deserializer=lambda m: json.loads(m.decode("utf-8")),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, value_serializer=lambda v: json.dumps(v).encode("utf-8")
    )
    stores: dict[str, dict[tuple[str, str], float]] = {"predictions": {}, "actuals": {}}
    fields = {"predictions": "predicted_close", "actuals": "actual_close"}
    began, busy, sent = time.perf_counter(), time.process_time(), 0
    for seen, message in enumerate(consumer, start=1):
        payload = message.value["payload"]
        pair = payload["symbol"], payload["date"]
        stores[message.topic][pair] = payload[fields[message.topic]]
        if pair in stores["predictions"] and pair in stores["actuals"]:
            predicted, actual = stores["predictions"].pop(pair), stores["actuals"].pop(pair)
            producer.send("bench-chapter", value=_event(pair, predicted, actual), key=message.key)
            sent += 1
        consumer.commit()
        if seen == messages:
            break
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    producer.flush()
    consumer.close()
    return {"records": messages, "seconds": seconds, "errors": sent, "cpu": cpu}


def _event(pair: tuple[str, str], predicted: float, actual: float) -> dict[str, object]:
    error = predicted - actual
    payload = {
        "symbol": pair[0],
        "date": pair[1],
        "predicted": predicted,
        "actual": actual,
        "error": error,
        "abs_error": abs(error),
        "pct_error": (error / actual) * 100 if actual != 0 else None,
    }
    return {
        "event_type": "ErrorComputed",
        "timestamp": time.time(),
        "producer": "error-computation",
        "payload": payload,
    }


def main() -> None:
    """Join a sample of what the topics hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("messages", type=int)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(join(options.bootstrap, options.messages)) + "\n")


if __name__ == "__main__":
    main()
