"""Which of several records of a thing holds: the newest revision, and of equal ones the later place."""

NEWEST_FIRST = 'revision DESC, partition DESC, "offset" DESC'
"""How records of one key are ordered, the one that holds first; it may say that nothing does."""

MET = """
    met.symbol = said.symbol AND met.date = said.held AND met.as_of IS NOT DISTINCT FROM said.as_of
    AND (said.as_of IS NOT NULL OR said.held = said.date)
"""
"""Whether an error is of a prediction: `held` is the session that was named, or the one held in its place.

`said` comes by symbol and `held`, as `met` by symbol and date: else the planner joins by symbols alone.
"""


def standing_errors(columns: str, where: str) -> str:
    """Write the query of the errors that hold: one a symbol, session and session that was predicted from.

    Args:
        columns: of `errors`, `retracted` among them where those that were taken back are to be left out.
        where: which errors; it has to keep all revisions of an error or none.
    """
    return f"""
        SELECT DISTINCT ON (symbol, date, as_of) {columns} FROM errors WHERE {where}
        ORDER BY symbol, date, as_of, {NEWEST_FIRST}
    """  # noqa: S608  (our own words)
