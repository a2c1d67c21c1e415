"""Each service is asked by its free calls what the days ahead hold: credits, room in the plan, the end of a model."""

from collections.abc import Callable

from integrations import apollo, instantly, instantly_outcomes, millionverifier, openai, perplexity
from integrations.results import Outlook

OUTLOOKS: dict[str, Callable[[], Outlook]] = {
    apollo.SERVICE: apollo.outlook,
    millionverifier.SERVICE: millionverifier.outlook,
    perplexity.SERVICE: perplexity.outlook,
    openai.SERVICE: openai.outlook,
    instantly.SERVICE: instantly_outcomes.outlook,
}
