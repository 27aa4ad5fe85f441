"""Claims about sessions for tests: what files say, early snapshots, mixtures, and a store beside them."""

from collections.abc import Iterable
from datetime import date
from itertools import count

import numpy as np
import pandas as pd

from tasks.core.claims import Claim, Known, Verdict
from tasks.core.places import Changes, Listed, Places
from tasks.core.prices import content_hash
from tasks.core.tidy import tidy


def claim(rows: pd.DataFrame, named: date | None, *, dated: bool = False, source: str = "") -> Claim:
    """Claim rows for a day: a file's, or with `dated` a price history's."""
    return Claim(source or f"{named}.csv", named, content_hash(rows), lambda: rows, dated)


def snapshot(rows: pd.DataFrame, share: float = 0.4) -> pd.DataFrame:
    """Show a session earlier in the day: less trade, other last prices, the same opens."""
    early = np.maximum((rows["volume"] * share).round(), 1.0)
    last = (rows["open"] * 0.999).round(2)
    low = np.minimum(rows["open"], last)
    return tidy(
        rows.assign(volume=early, turnover=early * last, close=last, low=low, high=rows["open"], ltp=last)
    )


def mixture(before: pd.DataFrame, now: pd.DataFrame, fresh: Iterable[str]) -> pd.DataFrame:
    """A file whose site had only some symbols of the new session, the rest being the session before."""
    new = now[now["symbol"].isin(list(fresh))]
    return tidy(pd.concat([before[~before["symbol"].isin(new["symbol"])], new], ignore_index=True))


class Shelf:
    """What a store and an index hold between commands: only what `Changes` say ever gets there."""

    def __init__(self) -> None:
        """Nothing is held yet."""
        self.held: dict[str, Known] = {}
        self._numbers = count()

    def command(self, *claims: Claim) -> list[Verdict]:
        """Ingest some files as one command and keep what it changed."""
        places = Places(Listed(self.held.values()))
        verdicts = [places.take(one) for one in claims]
        self._keep(places.changes())
        assert self.days() == {known.day: known.claim.digest for known in places.held}
        return verdicts

    def days(self) -> dict[date, str]:
        """The digest held for each day, oldest first."""
        found = {known.day: known.claim.digest for known in self.held.values()}
        assert len(found) == len(self.held)
        return dict(sorted(found.items()))

    def _keep(self, changes: Changes) -> None:
        """Retract, then store."""
        for gone in changes.gone:
            assert gone.known.day != gone.repeats
            del self.held[gone.known.location]
        for stored in changes.stored:
            if stored.replaces:
                del self.held[stored.replaces.location]
            location = f"s3://raw/{next(self._numbers)}"
            self.held[location] = Known(stored.day, stored.claim, location)
