"""What the fault tests share."""

from collections.abc import Iterator

import pytest

from infra.settings import Settings
from tests.desk import Desk


@pytest.fixture
def desk(servers: Settings) -> Iterator[Desk]:
    """A flow of this test."""
    desk = Desk(servers)
    yield desk
    desk.close()
