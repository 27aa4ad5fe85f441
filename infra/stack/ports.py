"""Asking whether a stack's ports are free, and who has the others."""

import socket

import psutil

from infra.errors import StackError
from infra.settings import Settings
from infra.stack.parts import Part


def require_free(settings: Settings, parts: list[Part]) -> None:
    """Check every port before anything starts.

    Raises:
        StackError: one is taken; the message says which, for what, and by which process.
    """
    for purpose, port in wanted(parts).items():
        if not free(settings.host, port):
            message = (
                f"port {port}, which {purpose} needs, is in use by {holder(port)}: "
                f"stop that, or start this stack on other ports with --port-offset N"
            )
            raise StackError(message)


def wanted(parts: list[Part]) -> dict[str, int]:
    """Collect the ports of all parts by what they are for."""
    return {purpose: port for part in parts for purpose, port in part.ports.items()}


def free(host: str, port: int) -> bool:
    """Tell whether a server could listen there; a port that only lingers after a close is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Name the process that listens on a port, as far as we may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "a process of another user"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            return _describe(connection.pid)
    return "a process that is not visible from here"


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.NoSuchProcess:
        return f"process {pid}, which is just ending"
