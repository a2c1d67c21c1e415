"""The console is an app, so that Django finds its admin classes, template tags and static files."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
