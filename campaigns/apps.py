"""This is the app of campaigns; it listens to the breakers."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from campaigns.cascade import handle_circuit_breaker_opened
        from campaigns.resend import forget_sent
        from campaigns.waits import end_waits
        from circuitbreakers.signals import breaker_opened, switch_sealed, wait_lifted

        breaker_opened.connect(handle_circuit_breaker_opened, dispatch_uid="campaigns.cascade")
        switch_sealed.connect(forget_sent, dispatch_uid="campaigns.resend")
        wait_lifted.connect(end_waits, dispatch_uid="campaigns.waits")
