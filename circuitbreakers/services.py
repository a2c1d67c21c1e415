"""There are five paid services, known by name only, in the order of the pipeline."""

SERVICES = ("apollo", "millionverifier", "perplexity", "openai", "instantly")


class UnknownService(ValueError):
    """The name is not one of the five."""

    def __init__(self, name: object) -> None:
        super().__init__(f"Invalid service name: {name}. Valid services: {list(SERVICES)}")


def validate(name: str) -> str:
    """Return `name` itself; raises UnknownService for any other."""
    if name not in SERVICES:
        raise UnknownService(name)
    return name
