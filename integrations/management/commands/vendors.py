"""`manage.py vendors` says whether the keys of the five services will do, before a campaign finds out."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from circuitbreakers.commands import REFUSED, VerbCommand, table
from integrations.keys import check_all


class Command(VerbCommand):
    help = "Look at the five services. Needs neither database nor Redis, and spends nothing."
    works_without_keys = True  # a missing one is what it reports

    def add_verbs(self) -> None:
        self.verb("check", "is each key there, accepted, and allowed what a campaign needs; exit status 0 or 1")

    def do_check(self, options: dict[str, Any]) -> None:
        checks = check_all()
        self.show(
            {
                "mode": settings.MODE,
                "services": {c.service: {"verdict": c.verdict, "detail": c.detail} for c in checks},
            },
            f"Mode: {settings.MODE.upper()}",
            table(["service", "key", "detail"], [[c.service, c.verdict, c.detail] for c in checks]),
        )
        bad = [c.service for c in checks if not c.ok]
        if bad:
            raise CommandError(f"Not ready: {', '.join(bad)}.", returncode=REFUSED)
