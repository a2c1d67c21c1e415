"""The app of the workers: it hands out the work that campaigns announce."""

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"
