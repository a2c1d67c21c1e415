"""Text on its way into a row or the switch. It comes from vendors, people and hands that typed into Redis: PostgreSQL
must not be able to refuse it, for a pause that cannot be written down can neither spread nor be lifted."""

from circuitbreakers.characters import IN_A_REASON

REASON = 500  # characters of a reason in any row


def storable(text: object, longest: int = REASON) -> str:
    """`text` without what no row and no log takes, cut to `longest` characters."""
    return IN_A_REASON.sub("", str(text))[:longest]
