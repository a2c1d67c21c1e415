"""The console as an app: its admin classes, template tags and static files are found here."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
