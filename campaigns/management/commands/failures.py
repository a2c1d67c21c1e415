"""`manage.py failures` lists what failed in groups, and plans, retries or drops a group."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from campaigns.failures import groups, plans, triage
from campaigns.failures.groups import Group
from circuitbreakers.commands import VerbCommand, table
from circuitbreakers.services import SERVICES


class Command(VerbCommand):
    help = "What failed for good, in groups; say what a retry or a drop of a group would do, and do it."
    refusals = (plans.FailuresRefused,)

    def add_verbs(self) -> None:
        listing = self.verb("list", "the groups, the largest first")
        listing.add_argument("--service", choices=SERVICES, default="")
        listing.add_argument("--page", type=int, default=1, metavar="N", help=f"of {groups.PAGE} groups each")
        _add_campaign(listing)
        plan = self.verb("plan", "the dry run of a group, with the token that retry and drop take")
        plan.add_argument("key", type=UUID, metavar="KEY")
        _add_campaign(plan)
        plan.add_argument(
            "--mended", action="store_true", help="retry what the vendor called invalid as well: its cause is mended"
        )
        for name, text in (
            ("retry", "put back what a plan has shown; needs a reason"),
            ("drop", "end what a plan has shown: its leads are DROPPED; needs a reason"),
        ):
            self.verb(name, text, changes=True).add_argument("token", metavar="TOKEN")

    def list(self, options: dict[str, Any]) -> None:
        page = groups.groups(service=options["service"], campaign=options["campaign"], page=options["page"])
        data = {"groups": [one.as_dict() for one in page.groups], "page": page.number, "more": page.more}
        headers = ["key", "failures", "service", "type", "first", "last", "sunk", "words"]
        rows = [
            [one.key, f"{one.count:,}", one.service, one.failure_type, *_times(one), f"${one.cost_usd:.2f}", one.words]
            for one in page.groups
        ]
        self.show(data, table(headers, rows), *([f"More: --page {page.number + 1}"] if page.more else []))

    def plan(self, options: dict[str, Any]) -> None:
        plan = plans.plan(options["key"], campaign=options["campaign"], mended=options["mended"])
        one = plan.group
        self.show(
            plan.as_dict(),
            f"{one.service}, {one.failure_type}: {one.words}",
            plan.sentence,
            *(f"  a retry leaves {number:,}: {why}" for why, number in plan.stay.items()),
            *(f"  a drop leaves {number:,}: {why}" for why, number in plan.keep.items()),
            *(
                f"  for instance job {example.job}, lead {example.lead}, campaign {example.campaign}: {example.error}"
                for example in one.examples
            ),
            f"Token: {plan.token}",
        )

    def retry(self, options: dict[str, Any]) -> None:
        done = triage.retry(options["token"], actor=self.actor(options), reason=options["reason"])
        self._show_done(done, "put back")

    def drop(self, options: dict[str, Any]) -> None:
        done = triage.drop(options["token"], actor=self.actor(options), reason=options["reason"])
        self._show_done(done, "dropped")

    def _show_done(self, done: triage.Done, what: str) -> None:
        lines = [f"{done.jobs:,} failures {what}, in {done.campaigns:,} campaigns."]
        self.show(done.as_dict(), *lines, *([done.left_out] if done.left_out else []))


def _add_campaign(parser: ArgumentParser) -> None:
    parser.add_argument("--campaign", type=int, metavar="ID", help="only its failures")


def _times(one: Group) -> tuple[str, str]:
    return f"{one.first:%Y-%m-%d %H:%M}", f"{one.last:%Y-%m-%d %H:%M}"
