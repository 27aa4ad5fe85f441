"""What a session is recognised by."""

import hashlib

import pandas as pd


def content_hash(rows: pd.DataFrame) -> str:
    """Fingerprint of a session: sha256 over its sorted (symbol, close, volume, turnover).

    Insensitive to row order and to what the site recomputes for an old session (Conf., averages), so that
    a stale repeat is recognised although its bytes differ.
    """
    columns = [rows[name].tolist() for name in ("symbol", "close", "volume", "turnover")]
    lines = sorted(f"{s}\t{c!r}\t{v!r}\t{t!r}\n" for s, c, v, t in zip(*columns, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
