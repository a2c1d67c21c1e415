"""The project as an app: system checks and the roles live here."""

from django.apps import AppConfig, apps
from django.core.signals import request_finished
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Holdfast"

    def ready(self) -> None:
        from config import outages, request_id
        from config.roles import ensure_roles

        # Sent for apps that have models only; which of them does not matter.
        post_migrate.connect(ensure_roles, sender=apps.get_app_config("campaigns"), dispatch_uid="ensure_roles")
        request_finished.connect(request_id.forget, dispatch_uid="request_id")
        outages.watch_for_answers()
