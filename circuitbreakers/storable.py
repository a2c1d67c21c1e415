"""Text on its way into a row or the switch. It comes from vendors, people and hands that typed into Redis: PostgreSQL
must not be able to refuse it, for a pause that cannot be written down can neither spread nor be lifted."""

import re

REASON = 500  # characters of a reason in any row

# NUL and lone surrogates are refused by PostgreSQL; other control characters garble logs and terminals. Tabs and line
# ends stay: people write notes with them.
UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def storable(text: object, longest: int = REASON) -> str:
    """`text` without what no row and no log takes, cut to `longest` characters."""
    return UNSTORABLE.sub("", str(text))[:longest]
