"""This is the app of the breakers: rows that must exist are ensured after each migration."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from circuitbreakers.services import SERVICES


def ensure_breakers(using: str, **kwargs: Any) -> None:
    """Make a policy row per service; existing ones are kept. A migration's rows would vanish in transactional tests."""
    from circuitbreakers.models import Breaker

    Breaker.objects.using(using).bulk_create([Breaker(service=name) for name in SERVICES], ignore_conflicts=True)


class CircuitBreakersConfig(AppConfig):
    name = "circuitbreakers"
    verbose_name = "Circuit breakers"

    def ready(self) -> None:
        from circuitbreakers import connections  # noqa: F401 (its check registers itself)

        post_migrate.connect(ensure_breakers, sender=self, dispatch_uid="ensure_breakers")
