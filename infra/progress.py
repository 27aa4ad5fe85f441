"""How far a long piece of work is: flows tell, and whoever runs them in its own process may listen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]
"""Takes what is counted, how many are done, and how many there are."""

_listeners: list[Listener] = []


def tell(what: str, done: int, total: int) -> None:
    """Say how far the work is; costs nothing when nobody listens."""
    for listener in _listeners:
        listener(what, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` called with what is told in this process during the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
