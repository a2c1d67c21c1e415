from functools import partial

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        """Tell the breakers how each service is probed, and Django of the checks on whom we may call."""
        import integrations.checks  # noqa: F401  (they register themselves)
        from circuitbreakers.probes import register_probe
        from integrations import keys

        for vendor in keys.VENDORS:
            register_probe(vendor.SERVICE, vendor.probe, partial(keys.refusal, vendor))
