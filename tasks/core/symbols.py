"""One spelling for each instrument, whatever a file calls it."""

import re
from types import MappingProxyType

RENAMED = MappingProxyType({"CLBSL": "HLBSL"})
"""Former ticker -> today's, where one instrument went on under a new name (its rows stood under both for a
time). Mergers are none: there the old instrument ends."""

MARKET = "NEPSE"
"""Key of the whole market's events; no instrument may carry it."""

MAX_SYMBOL = 64
"""Longest ticker that the contract carries."""

_DEBENTURE = re.compile(r"([A-Z]+) ?([0-9]{2}) ?[/_] ?([0-9]{2})")


def canonical(symbol: str) -> str:
    """Spell a ticker as the exchange does today.

    A debenture is its issuer and its Bikram Sambat years, `NICAD85/86`: vendors also write `NICAD 85/86`, and
    `NICAD85_86` where the name is that of a file. Renamed instruments get their present ticker. Anything else
    only loses the space around it. Applied twice it changes nothing more.
    """
    symbol = symbol.strip()
    if found := _DEBENTURE.fullmatch(symbol):
        symbol = "{}{}/{}".format(*found.groups())
    return RENAMED.get(symbol, symbol)
