"""Each thing has one word for its readers: the same on the dashboard, the recovery page and in every list."""

SERVICE_NAMES = {
    "apollo": "Apollo",
    "millionverifier": "MillionVerifier",
    "perplexity": "Perplexity",
    "openai": "OpenAI",
    "instantly": "Instantly",
}

# Breaker and queue, campaign, job and lead states: (word, tone). The tone is a colour; each has a sign of its own.
STATES = {
    "closed": ("Closed", "good"),
    "open": ("Open", "bad"),
    "half_open": ("Half-open", "warn"),
    "held": ("Held", "bad"),
    "lost": ("Unknown", "bad"),
    "ACTIVE": ("Active", "good"),
    "CREATED": ("Created", "idle"),
    "RUNNING": ("Running", "good"),
    "PENDING": ("Pending", "idle"),
    "PROCESSING": ("Processing", "busy"),
    "PAUSED": ("Paused", "warn"),
    "COMPLETED": ("Completed", "done"),
    "FAILED": ("Failed", "bad"),
    "CANCELLED": ("Cancelled", "off"),
    "OPEN": ("In work", "busy"),
    "PUSHED": ("Pushed", "done"),
    "DROPPED": ("Dropped", "off"),
    "SENT": ("Sent", "done"),
    "BOUNCED": ("Bounced", "bad"),
    "REPLIED": ("Replied", "good"),
    "UNSUBSCRIBED": ("Unsubscribed", "off"),
    "success": ("Success", "done"),
    "unknown": ("Unknown", "warn"),
    "invalid_request": ("Invalid request", "off"),
    "rate_limit": ("Throttled", "warn"),
    "GIVEN_UP": ("Given up", "bad"),
    "FOLDED": ("In a digest", "off"),
}

FAILURES = {
    "timeout": "timeouts",
    "connection": "failed connections",
    "server_error": "server errors",
    "malformed": "unreadable answers",
    "quota_exhausted": "no credit left",
    "auth": "the key was refused",
    "rate_limit": "throttling without an end",
    "invalid_request": "invalid requests",
    "unknown": "unknown",
}
# What one fatal answer says of a vendor, as the end of "because Apollo ...".
FATAL = {
    "quota_exhausted": "says that there is no credit left",
    "auth": "refused our key",
    "rate_limit": "has throttled us without an end",
}


def service_name(service: str) -> str:
    """Return the service's name as its vendor spells it."""
    return SERVICE_NAMES.get(service, service)


def grouped(number: float) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,.0f}"


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: `1 campaign`, `2,000 campaigns`."""
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"
