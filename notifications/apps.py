"""This app tells people what happened; it hears of it from the record of events."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from circuitbreakers.signals import event_recorded
        from notifications.outbox import hear

        event_recorded.connect(hear, dispatch_uid="notifications.outbox")
