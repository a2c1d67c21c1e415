"""Text is made storable here on its way into a row or the switch. It comes from vendors, people and hands that typed
into Redis: PostgreSQL must not be able to refuse it, for a pause that cannot be written down can neither spread nor be
lifted."""

from django.db.models import Field, Model

from circuitbreakers.characters import IN_A_REASON

# Characters of a reason: the length of the models' columns, and of what is only kept in Redis or JSON.
REASON_LENGTH = 500


def storable(text: object, longest: int | None = REASON_LENGTH) -> str:
    """Return `text` without what no row and no log takes, cut to `longest` characters, or of any length."""
    return IN_A_REASON.sub("", str(text))[:longest]


def fit(text: object, model: type[Model], column: str) -> str:
    """Return `text` as that column takes it: storable, and no longer than the model says."""
    return storable(text, length_of(model, column))


def length_of(model: type[Model], column: str) -> int | None:
    """Return how many characters that column holds; None for any number."""
    field = model._meta.get_field(column)
    return field.max_length if isinstance(field, Field) else None
