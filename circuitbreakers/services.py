"""The five paid services, by name only, in the order of the pipeline."""

SERVICES = ("apollo", "millionverifier", "perplexity", "openai", "instantly")


class UnknownService(ValueError):
    """A name that is not one of the five."""

    def __init__(self, name: object) -> None:
        super().__init__(f"Invalid service name: {name}. Valid services: {list(SERVICES)}")


def validate(name: str) -> str:
    """`name` itself; raises UnknownService for any other."""
    if name not in SERVICES:
        raise UnknownService(name)
    return name
