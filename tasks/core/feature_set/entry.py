"""What one feature is, and short ways to declare several that differ by a window or a lag."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tasks.core.grid import Sessions
from tasks.core.view import View


class Feature(NamedTuple):
    """One entry of the feature set.

    `window` is how many sessions of the market it looks at, the current one included; the path beneath may
    reach CARRY sessions further back. `minimum` is how many sessions, the current one included, the symbol
    itself must have traded or been carried through: with fewer the value is missing.
    """

    name: str
    formula: str
    window: int
    unit: str
    compute: Callable[[Any], Any]
    """From a `View` to [n_output, n_symbols]; of groups that are computed across symbols, from `Across`."""
    minimum: int
    group: str = ""


def feature(  # noqa: PLR0913, PLR0917  (the parts of one declaration)
    name: str, formula: str, window: int, unit: str, compute: Callable[[Any], Any], minimum: int | None = None
) -> Feature:
    """Declare one feature; all of its window must be known unless a minimum is given."""
    return Feature(name, formula, window, unit, compute, window if minimum is None else minimum)


def grouped(group: str, *entries: Feature | Iterable[Feature]) -> tuple[Feature, ...]:
    """Put features into a group, in their order."""
    flat = [one for part in entries for one in ((part,) if isinstance(part, Feature) else part)]
    return tuple(one._replace(group=group) for one in flat)


def over(  # noqa: PLR0913, PLR0917  (the parts of one declaration)
    windows: Iterable[int],
    name: str,
    formula: str,
    unit: str,
    compute: Callable[[Any, int], Any],
    more: int = 0,
) -> Iterable[Feature]:
    """Declare a feature for several windows, {k} in name and formula; `more` sessions precede the window."""
    for k in windows:
        bound = _bound(compute, k)
        yield feature(name.format(k=k), formula.format(k=k), k + more, unit, bound)


def lagged(  # noqa: PLR0913, PLR0917  (the parts of one declaration)
    lags: Iterable[int],
    name: str,
    formula: str,
    unit: str,
    compute: Callable[[Any, int], Any],
    window: int = 1,
) -> Iterable[Feature]:
    """Declare a feature now (lag 0) and some sessions ago; `window` is that of lag 0."""
    for back in lags:
        ago = f", {back} {'session' if back == 1 else 'sessions'} ago" if back else ""
        called = f"{name}_lag{back}" if back else name
        yield feature(called, f"{formula}{ago}", window + back, unit, _bound(compute, back))


def of_market(  # noqa: PLR0913, PLR0917  (the parts of one declaration)
    name: str,
    formula: str,
    unit: str,
    pick: Callable[[View], Sessions],
    lags: Iterable[int] = (0,),
    window: int = 2,
) -> Iterable[Feature]:
    """Declare a number of the market, the same for every symbol however new, now and some sessions ago."""
    entries = lagged(lags, name, formula, unit, lambda v, back: v.market_lag(pick(v), back), window)
    return (entry._replace(minimum=1) for entry in entries)


def _bound(compute: Callable[[Any, int], Any], number: int) -> Callable[[Any], Any]:
    return lambda view: compute(view, number)
