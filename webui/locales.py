"""What Babel knows of languages and countries, without what no page says: currencies, units and time zones are megabytes.

Knows: which parts of Babel's data are never asked for here.
Does not know: which languages there are, what is said in them.
"""

from collections.abc import Iterable

from babel.core import get_global
from babel.localedata import load

_UNSAID_OF_THE_WORLD = (
    "all_currencies",
    "currency_fractions",
    "meta_zones",
    "territory_currencies",
    "territory_languages",
    "territory_zones",
    "windows_zone_mapping",
    "zone_aliases",
    "zone_territories",
)
_UNSAID = (
    "compact_currency_formats",
    "compact_decimal_formats",
    "compound_unit_patterns",
    "currency_formats",
    "currency_names",
    "currency_names_plural",
    "currency_symbols",
    "currency_unit_patterns",
    "date_fields",
    "interval_formats",
    "meta_zones",
    "time_zones",
    "unit_display_names",
    "unit_patterns",
    "zone_formats",
)


def lighten(names: Iterable[str]) -> None:
    """Read the data of these locales, and drop what is not used at once, so that what is read next takes its place in memory."""
    for part in _UNSAID_OF_THE_WORLD:
        get_global(part).clear()  # type: ignore[arg-type, attr-defined]
    for name in ("root", *names):
        data = load(name)
        for part in _UNSAID:
            data.pop(part, None)
