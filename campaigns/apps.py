"""This is the app of campaigns; it listens to the breakers."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from campaigns.budgets import follow
        from campaigns.cascade import handle_circuit_breaker_opened
        from campaigns.waits import end_waits
        from circuitbreakers.signals import breaker_opened, budget_halted, limits_changed, wait_lifted

        breaker_opened.connect(handle_circuit_breaker_opened, dispatch_uid="campaigns.cascade")
        wait_lifted.connect(end_waits, dispatch_uid="campaigns.waits")
        limits_changed.connect(end_waits, dispatch_uid="campaigns.waits")
        budget_halted.connect(follow, dispatch_uid="campaigns.budgets")
