"""This app keeps what all processes have counted, for Prometheus."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "telemetry"
