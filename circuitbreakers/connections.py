"""How many connections PostgreSQL has left is watched: when none is, workers and web fail at whatever they do next.

A process opens one for each thread that asks: docs/going-live.md counts them.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

# Per cent in use from which /health/ready says so.
SCARCE = 90

# Of all databases of the server, by any role; `numbackends` is everybody's to read.
ASK = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database)
"""


@dataclass(frozen=True)
class Connections:
    """`most` is how many an ordinary role may open on this server, `used` how many are open now."""

    most: int
    used: int

    @property
    def scarce(self) -> str:
        """Return a sentence if few are left, else ''."""
        if self.used * 100 < self.most * SCARCE:
            return ""
        return f"PostgreSQL has {max(0, self.most - self.used)} of {self.most} connections left"


def read(alias: str = "default") -> Connections:
    """Ask the server. Raises DatabaseError."""
    with connections[alias].cursor() as cursor:
        cursor.execute(ASK)
        most, used = cursor.fetchone()
    return Connections(int(most), int(used))


@register(Tags.database)
def connections_suffice(**kwargs: Any) -> list[CheckMessage]:
    """Compare what all processes may open, by CONNECTIONS, with what the server allows. For `check --database default`,
    and before each migration."""
    wanted: int = settings.CONNECTIONS
    if not wanted or "default" not in (kwargs.get("databases") or ()):
        return []
    most = read().most
    if wanted <= most:
        return []
    return [
        Warning(
            f"Holdfast may open {wanted} connections and PostgreSQL allows {most}.",
            hint=f"Raise max_connections by {wanted - most}, run fewer threads, or correct CONNECTIONS "
            "(docs/going-live.md).",
            id="holdfast.W03",
        )
    ]
