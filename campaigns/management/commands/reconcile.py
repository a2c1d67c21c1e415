"""`manage.py reconcile` compares the books. Exits 1 and says what is wrong if a lead, job, call or pause does not add
up."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns import spend, tallies
from campaigns.reconcile import CHECKS, reconcile, uncertain
from circuitbreakers.commands import as_json
from circuitbreakers.switch import RedisUnavailable


class Command(BaseCommand):
    help = "Check that leads, jobs, calls, pauses and the two stores add up."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument(
            "--recount", action="store_true", help="first count anew what the console shows; writers wait meanwhile"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["recount"]:
            tallies.recount()
        try:
            findings = reconcile()
        except RedisUnavailable as error:
            raise CommandError(f"{error}: the two stores cannot be compared.") from None
        if options["as_json"]:
            rows = [{"check": finding.check, "count": finding.count, "detail": finding.detail} for finding in findings]
            sums = spend.in_all()
            beyond = {"calls": sums.may_be_charged, "at_most_usd": sums.may_cost_usd}
            self.stdout.write(as_json({"balanced": not findings, "findings": rows, "may_be_charged": beyond}))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.check}: {finding.detail}")
        if (beyond_the_books := uncertain()) and not options["as_json"]:
            self.stdout.write(beyond_the_books)
        if findings:
            raise CommandError(f"The books do not balance: {len(findings)} findings.")
        if not options["as_json"]:
            self.stdout.write(f"The books balance ({len(CHECKS)} checks).")
