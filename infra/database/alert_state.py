"""What the watch remembers between looks, and what it could not publish yet."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from infra.database.bulk import any_of
from infra.database.connection import transaction
from infra.database.private_tables import alert_lives, alert_news
from infra.database.tables import alerts


class News(NamedTuple):
    """An event about an alert, as it is written."""

    event_id: str
    made_at: datetime
    event: str


def load(engine: Engine) -> tuple[dict[str, Any], list[News]]:
    """Read the lives by alert, and the news that were not published, oldest first. Raises TryAgainError."""
    with transaction(engine) as connection:
        lives = connection.execute(select(alert_lives.c.alert_id, alert_lives.c.life))
        news = connection.execute(
            select(*(alert_news.c[name] for name in News._fields)).order_by(
                alert_news.c.made_at, alert_news.c.event_id
            )
        )
        return {str(name): life for name, life in lives}, [News(*row) for row in news]


def save(engine: Engine, lives: Mapping[str, Any], gone: Iterable[str], news: Iterable[News]) -> None:
    """Store changed lives and news, both or neither; forget what is gone. Raises TryAgainError."""
    with transaction(engine) as connection:
        connection.execute(delete(alert_lives).where(alert_lives.c.alert_id == any_of(gone)))
        for name, life in lives.items():
            stored = insert(alert_lives).values(alert_id=name, life=life)
            connection.execute(stored.on_conflict_do_update(index_elements=["alert_id"], set_={"life": life}))
        for one in news:
            connection.execute(insert(alert_news).values(**one._asdict()).on_conflict_do_nothing())


def published(engine: Engine, event_ids: Iterable[str]) -> None:
    """Forget news that are on the topic. Raises TryAgainError."""
    with transaction(engine) as connection:
        connection.execute(delete(alert_news).where(alert_news.c.event_id == any_of(event_ids)))


def acknowledged(engine: Engine, alert_ids: Iterable[str]) -> dict[str, datetime]:
    """Tell when each of the alerts was last acknowledged, if it was. Raises TryAgainError."""
    mine = (alerts.c.alert_id == any_of(alert_ids)) & (alerts.c.event_type == "AlertAcknowledged")
    query = select(alerts.c.alert_id, func.max(alerts.c.timestamp)).where(mine).group_by(alerts.c.alert_id)
    with transaction(engine) as connection:
        return {str(name): when for name, when in connection.execute(query)}
