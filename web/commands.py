"""The few things that a reader of the API may ask for with the token: acknowledge, re-drive, promote."""

import logging
import threading
from datetime import UTC, datetime
from hmac import compare_digest
from http import HTTPStatus
from typing import Any

import orjson

from events.envelope import Event, Metadata, derive_id, encode
from events.payloads import AlertAcknowledged
from infra.errors import LoopError, RejectError, TryAgainError
from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.settings import Settings
from infra.stack import probes
from infra.trace_context import source_headers
from web.problems import RefusedError

PRODUCER = "web"
_BEARER = "bearer "
_audit = logging.getLogger("nepse.audit")


def require_token(settings: Settings, authorization: str | None) -> None:
    """Let only those go on who know the token.

    Raises:
        RefusedError: no token came, or a wrong one, or none is set, so that nobody may.
    """
    token = settings.api_token.get_secret_value()
    if not token:
        message = "commands are off: no NEPSE_API_TOKEN is set here"
        raise RefusedError(HTTPStatus.FORBIDDEN, message)
    if authorization is None or not authorization.lower().startswith(_BEARER):
        message = "send the token: Authorization: Bearer TOKEN (NEPSE_API_TOKEN in the home's settings.env)"
        raise RefusedError(HTTPStatus.UNAUTHORIZED, message)
    if not compare_digest(authorization[len(_BEARER) :].strip().encode(), token.encode()):
        message = "this is not the token"
        raise RefusedError(HTTPStatus.FORBIDDEN, message)


def audit(command: str, **facts: Any) -> None:
    """Note who had what done, one JSON line each; the token is never among it."""
    told = {"at": datetime.now(UTC), "command": command, **facts}
    _audit.info(orjson.dumps(told).decode())


class Acknowledgements:
    """Publishes AlertAcknowledged; one at a time, with a Kafka client that is made when first needed."""

    def __init__(self, settings: Settings) -> None:
        """Nothing connects yet."""
        self._pool = Pool(settings)
        self._lock = threading.Lock()

    def publish(self, payload: AlertAcknowledged, raised: int, correlation: str | None) -> str:
        """Publish an acknowledgement of what was last raised at an offset of `alerts`; returns its id.

        The same raise is acknowledged once: a repeat has the same id, and counts for nothing.

        Raises:
            TryAgainError: the broker is away, or another process acknowledges at this moment.
        """
        event_id = derive_id(PRODUCER, f"{payload.alert_id}@{raised}", "acknowledged")
        metadata = Metadata(event_id, correlation or event_id, payload.schema_version)
        event = encode(Event(datetime.now(UTC), PRODUCER, payload, metadata))
        with self._lock:
            trace = source_headers(PRODUCER, "alerts", metadata.correlation_id)
            self._send(Outgoing("alerts", payload.key.encode(), event, trace))
        return event_id

    def _send(self, record: Outgoing) -> None:
        source = Source(self._pool, PRODUCER)
        try:
            source.open()
            source.publish([record])
        except (TryAgainError, RejectError):
            raise
        except LoopError as error:  # fenced by another web process, or no answer: its id makes it safe
            message = f"it is not known whether this was published, look again: {error}"
            raise TryAgainError(message) from error
        finally:
            source.close()

    def close(self) -> None:
        """Close the clients."""
        self._pool.close()


def start_run(settings: Settings, deployment: str, parameters: dict[str, Any], key: str | None = None) -> str:
    """Have the worker run a deployment (`flow/deployment`); returns the address of the run's page.

    By Prefect's HTTP interface: its client would take 340 MB of this process. Of a key there is one run,
    however often it is asked for.

    Raises:
        TryAgainError: the Prefect server is away, or has no such deployment; or it was too slow to say that
            there is a run now.
    """
    api = f"{settings.prefect_ui}/api/deployments"
    found = probes.get_json(f"{api}/name/{deployment}")
    body: dict[str, Any] = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "tags": ["web"]}
    body |= {"idempotency_key": key} if key else {}
    run = probes.get_json(f"{api}/{found['id']}/create_flow_run", body)
    return settings.run_page(str(run["id"]))
