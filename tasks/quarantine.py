"""What can't be used is kept where it can be looked at: rows and whole sessions, with their reasons."""

import hashlib
from datetime import date

import pandas as pd

from infra.bootstrap import Loop
from infra.store import to_parquet


def quarantine(loop: Loop, day: date | None, rows: pd.DataFrame) -> str | None:
    """Store rows below the day that they were meant for; returns where, None if there are none.

    Equal rows of a day are one object, however often their file comes. Raises like `Store.put_new`.
    """
    if rows.empty:
        return None
    content = to_parquet(rows)
    name = hashlib.sha256(content).hexdigest()[:16]
    uri = f"s3://{loop.settings.raw_bucket}/quarantine/{day or 'unplaced'}/{name}.parquet"
    loop.store.put_new(uri, content)
    return uri
