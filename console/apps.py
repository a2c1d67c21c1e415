"""The console is an app, so that Django finds its admin classes, template tags and static files."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"

    def ready(self) -> None:
        from console.snapshot import read_sentence
        from notifications.texts import register_sentence

        register_sentence(read_sentence)
