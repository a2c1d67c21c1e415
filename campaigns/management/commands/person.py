"""`manage.py person` finds all that is known of one person, hands it out, and erases it."""

from typing import Any

from django.core.management.base import CommandError

from campaigns.person import erasing, known
from circuitbreakers.commands import REFUSED, WRONG_USAGE, VerbCommand, as_json, table


class Command(VerbCommand):
    help = "Find all that is known of one person, export it, erase it."
    refusals = (erasing.StillWorkedOn,)

    def add_verbs(self) -> None:
        find = self.verb("find", "what is known of the person with this address, in numbers")
        export = self.verb("export", "all that is known of the person with this address, as JSON")
        erase = self.verb("erase", "erase the person with this address; there is no way back", changes=True)
        erase.add_argument("--yes", action="store_true", help="do it; without it the numbers are shown, as by find")
        for parser in (find, export, erase):
            parser.add_argument("address")

    def find(self, options: dict[str, Any]) -> None:
        person = self._person(options)
        counts = known.counts(person)
        self.show(
            {"addresses": sorted(person.addresses), "apollo_ids": sorted(person.apollo_ids), "rows": counts},
            f"Addresses: {', '.join(sorted(person.addresses))}",
            f"Apollo's ids: {', '.join(sorted(person.apollo_ids)) or 'none'}",
            table(["rows of", "number"], list(counts.items())),
        )

    def export(self, options: dict[str, Any]) -> None:
        self.stdout.write(as_json(known.export(self._person(options))))

    def erase(self, options: dict[str, Any]) -> None:
        if not options["yes"]:
            self.find(options)
            raise CommandError("Nothing was erased. There is no way back: add --yes to do it.", returncode=REFUSED)
        person = self._person(options)
        receipt = erasing.erase(person, actor=self.actor(options), reason=options["reason"])
        self.show(
            {"receipt": receipt.pk, "erased": receipt.erased, "not_reached": receipt.not_reached},
            f"Receipt {receipt.pk}: erased.",
            table(["rows of", "number"], list(receipt.erased.items())),
            "Not reached:",
            *(f"  - {where}" for where in receipt.not_reached),
        )

    @staticmethod
    def _person(options: dict[str, Any]) -> known.Person:
        try:
            return known.find(options["address"])
        except known.NoAddress as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
