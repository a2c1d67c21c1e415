"""`manage.py budget` shows, sets and removes the budgets of the system, of services and of campaigns."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from campaigns import budgets
from circuitbreakers import budget_counters, budget_verbs
from circuitbreakers.budget import BudgetInvalid
from circuitbreakers.commands import WRONG_USAGE, VerbCommand, table
from circuitbreakers.models import Budget


class Command(VerbCommand):
    help = "Look at the budgets, set and remove them."
    refusals = (budget_verbs.BudgetRefused,)

    def add_verbs(self) -> None:
        self.verb("show", "all budgets, with what is spent of each and what waits for it")
        put = self.verb("set", "set the limits of a scope anew; work that waited goes on", changes=True)
        put.add_argument("--usd", help="at most so much, such as 50 or 49.90")
        put.add_argument("--calls", help="at most so many calls")
        remove = self.verb("remove", "remove a budget: nothing limits the scope for that period", changes=True)
        for parser in (put, remove):
            self._names(parser)

    def _names(self, parser: ArgumentParser) -> None:
        parser.add_argument("scope", help="system, service:NAME or campaign:ID")
        parser.add_argument("period", help="system: day or month; service: day; campaign: total or day (UTC)")
        parser.add_argument("--version", type=int, dest="seen", help="only if it still is the version that you saw")

    def do_show(self, options: dict[str, Any]) -> None:
        counters = budget_counters.read()
        rows = [budgets.as_dict(row, counters) for row in Budget.objects.all()]
        columns = ("scope", "period", "limits", "spent", "percent", "version", "set_by", "reason", "halt")
        self.show(
            {"mode": settings.MODE, "budgets": rows},
            f"Mode: {settings.MODE.upper()}",
            table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in rows]),
        )

    def do_set(self, options: dict[str, Any]) -> None:
        try:
            row, said = budgets.set_budget(
                options["scope"],
                options["period"],
                usd=options["usd"],
                calls=options["calls"],
                actor=self.actor(options),
                reason=options["reason"],
                version=options["seen"],
            )
        except BudgetInvalid as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        self.show({**budgets.as_dict(row, None), "message": said}, said)

    def remove(self, options: dict[str, Any]) -> None:
        scope, period = options["scope"], options["period"]
        removed = budget_verbs.remove(
            scope, period, actor=self.actor(options), reason=options["reason"], version=options["seen"]
        )
        said = f"The budget of {scope} ({period}) {'is removed' if removed else 'was not there'}."
        self.show({"scope": scope, "period": period, "changed": removed, "message": said}, said)
