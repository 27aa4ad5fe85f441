"""The features' part of the page."""

from importlib.metadata import version

from bench.features import COPIES, SHARED, TOGETHER, Figures
from bench.report import Target, machine, rows

TARGETS = (
    Target("times as fast as groupby.apply", 10, "{:.1f}"),
    Target(f"times as fast as groupby.apply, symbols repeated {COPIES} times", 10, "{:.1f}"),
    Target("times as long as a bare TA-Lib loop, its indicators together", 2, "{:.1f}", most=True),
    Target("milliseconds for a new session of 350 symbols, 10 years of history", 150, "{:.0f}", most=True),
    Target("times as long after 30 years of history", 1.2, "{:.2f}", most=True),
    Target("MB of memory held by a process of ours", 2_500, "{:,.0f}", most=True),
)
HEAD = """\
## Features

Feature set {set}, {features} features, over {source}: {rows:,} rows of {symbols} symbols in {sessions:,}
sessions, and the same with every symbol {copies} times. Each line is a process of its own. Ours computes the
whole set, with the market, the ranks, and the path that is carried over gaps and adjusted; the peers are
spared that.
"""
AGREEMENT = """
First the answers are compared, where a symbol traded through the whole window and nothing odd happened:

| peer | features defined equally | values compared | largest difference |
|---|---|---|---|
"""
INDICATORS = """
The indicators that TA-Lib has, seconds over the whole history, the best of some rounds. TA-Lib gets each
symbol's rows as ready-made arrays, nothing adjusted or carried over days without a trade; ours begins at the
panel and ends at the frame of the answer: {once:.2f} s, and {often:.2f} s with every symbol {copies} times,
pass before anything is asked for.

| indicator | our features | ours | TA-Lib | ours, {copies} times | TA-Lib, {copies} times |
|---|---|---|---|---|---|
"""
SESSIONS = """
A new session as `compute-features` takes it, in a warm process, without broker and Prefect: the window from
the cache, its own rows from the store, until the vectors are there; then writing them as events.

| years of history | sessions | vectors | computed: ms | at worst | written: ms | most memory, MB |
|---|---|---|---|---|---|---|
"""
NAMED = 3
"""Features that a line names; the others are counted."""
OURS = "this project: all {features} features, `tasks.core.features.compute`"
PEER = "`groupby.apply`, pandas' rolling and ewm: the {features} features for which one symbol's rows suffice"


def part(figures: Figures) -> str:
    """Write the part."""
    text = HEAD.format(copies=COPIES, **figures.market) + _agreement(figures) + _whole(figures)
    text += _families(figures) + _sessions(figures) + "\n" + rows(TARGETS, reached(figures))
    text += f"\n### What a vector weighs\n\n{figures.encoding}" if figures.encoding else ""
    libraries = [f"{name} {version(name)}" for name in ("numpy", "pandas", "ta-lib")]
    return text + machine("all of it for one process", *libraries)


def reached(figures: Figures) -> list[float | None]:
    """Give the figures of TARGETS."""
    theirs, together = _groupby_seconds(figures), figures.families["1"]
    ten, thirty = (figures.sessions[years]["computed"] for years in ("10", "30"))
    ours = [*figures.whole.values(), *figures.sessions.values()]
    return [
        theirs / figures.whole["1"]["seconds"],
        theirs * COPIES / figures.whole[str(COPIES)]["seconds"],
        together["ours"][TOGETHER] / together["theirs"][TOGETHER],
        ten,
        thirty / ten,
        max(one["peak"] for one in ours),
    ]


def _groupby_seconds(figures: Figures) -> float:
    """Seconds of groupby.apply over all symbols; from its sample where it got one."""
    sample = figures.groupby
    return sample["seconds"] * sample["of"] / sample["rows"]


def _agreement(figures: Figures) -> str:
    text = AGREEMENT
    for peer, found in figures.agreement.items():
        compared, apart = sum(one[1] for one in found), max(one[2] for one in found)
        text += f"| {peer} | {len(found)} | {compared:,} | {apart:.0e} |\n"
    return text


def _whole(figures: Figures) -> str:
    text = "\n| the whole history | symbols | rows | seconds | rows/s | most memory, MB | times slower |\n"
    text += "|---|---|---|---|---|---|---|\n"
    sample, shape = figures.groupby, figures.market
    for copies, one in figures.whole.items():
        symbols, theirs = shape["symbols"] * int(copies), _groupby_seconds(figures) * int(copies)
        text += f"| {OURS.format(**shape)} | {symbols:,} | {one['rows']:,} | {one['seconds']:.1f} |"
        text += f" {one['rows'] / one['seconds']:,.0f} | {one['peak']:,.0f} | 1 |\n"
        text += f"| {PEER.format(**sample)}{_extrapolated(figures, copies)} | {symbols:,} |"
        text += (
            f" {sample['of'] * int(copies):,} | {theirs:,.1f} | {sample['rows'] / sample['seconds']:,.0f} |"
        )
        text += f" {sample['peak']:,.0f} | {theirs / one['seconds']:.1f} |\n"
    return text


def _extrapolated(figures: Figures, copies: str) -> str:
    sample = figures.groupby
    if copies == "1" and sample["rows"] == sample["of"]:
        return ""
    return f"; extrapolated by rows from {sample['symbols']} symbols, {sample['rows']:,} rows"


def _families(figures: Figures) -> str:
    least = [found["ours"][SHARED] for found in figures.families.values()]
    text = INDICATORS.format(copies=COPIES, once=least[0], often=least[-1])
    for name in [*figures.families["1"]["features"], TOGETHER]:
        text += f"| {name} | {_short(figures.families['1']['features'].get(name, []))} |"
        for found in figures.families.values():
            text += f" {found['ours'][name]:.3f} | {found['theirs'][name]:.3f} |"
        text += "\n"
    return text


def _short(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:NAMED]) + more


def _sessions(figures: Figures) -> str:
    text = SESSIONS
    for years, one in figures.sessions.items():
        text += f"| {years} | {one['sessions']:,} | {one['vectors']} | {one['computed']:.0f} |"
        text += f" {one['computed_worst']:.0f} | {one['written']:.1f} | {one['peak']:,.0f} |\n"
    return text
