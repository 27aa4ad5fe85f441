"""Names that a person mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches

SUGGESTED = 3


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Explain a name that nobody knows, with known ones that look alike; empty where none is known."""
    names = sorted(known)
    if not names:
        return ""
    folded = {one.upper(): one for one in names}
    alike = [folded[one] for one in get_close_matches(name.upper(), folded, SUGGESTED, 0.5)]
    told = f"did you mean {' or '.join(alike)}?" if alike else f"known are {len(names)}, such as {names[0]}"
    return f"no {what} {name!r}: {told}"
