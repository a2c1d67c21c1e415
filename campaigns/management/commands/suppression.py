"""`manage.py suppression` keeps the list of addresses and domains that nobody writes to."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from campaigns.leads import suppression
from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.exporting import suppressions_csv
from campaigns.leads.suppression_file import ended, suppress_file
from campaigns.management.files import files_or_refusal, require_file, write
from campaigns.models import Suppression
from circuitbreakers.commands import REFUSED, WRONG_USAGE, VerbCommand, table

SHOWN = 20  # refused rows of a file, for people; JSON has more


class Command(VerbCommand):
    help = "Put addresses and domains on the list that nobody writes to, look them up, take them off."
    refusals = (ImportRefused, suppression.LiftRefused)

    def add_verbs(self) -> None:
        add = self.verb("add", "nobody writes there any more; open leads end at once", changes=True)
        add.add_argument("values", nargs="+", metavar="VALUE", help="an address, or a domain such as acme.example")
        importing = self.verb("import", "a plain list, or a CSV with a column of addresses or domains", changes=True)
        importing.add_argument("file", type=Path)
        importing.add_argument(
            "--delimiter", help="a character or comma, semicolon, tab, pipe; recognised if not given"
        )
        importing.add_argument("--encoding", help="of the file, if it is not UTF-8 (latin-1, cp1252, ...)")
        causes = [str(cause) for cause in Suppression.GIVEN]
        for parser in (add, importing):
            parser.add_argument(
                "--cause", choices=causes, default="operator", help="a person's own wish is never lifted"
            )
        export = self.verb("export", "the list as CSV; --json prints a report and needs a FILE for the list")
        export.add_argument("file", type=Path, nargs="?", help="default: standard output")
        self.verb("check", "whether anybody writes there").add_argument("values", nargs="+", metavar="ADDRESS")
        remove = self.verb("remove", "take a value off the list; needs a reason", changes=True)
        remove.add_argument("value", metavar="VALUE")

    def add(self, options: dict[str, Any]) -> None:
        result = suppression.suppress(
            options["values"],
            options["reason"],
            self.actor(options),
            cause=Suppression.Cause(options["cause"]),
        )
        refused = zip(result.refused, result.reasons, strict=True)
        self.show(
            result.as_dict(),
            f"{result.added} added, {result.already} already there, {len(result.refused)} refused;"
            f" {ended(result.leads)}.",
            *(f"  {value}: {why}" for value, why in refused),
        )
        if result.refused:
            raise CommandError(f"{len(result.refused)} of the values were refused.", returncode=REFUSED)

    def do_import(self, options: dict[str, Any]) -> None:
        path = options["file"]
        require_file(path)
        with files_or_refusal(path), path.open("rb") as stream:
            report = suppress_file(
                stream,
                options["reason"],
                self.actor(options),
                cause=Suppression.Cause(options["cause"]),
                encoding=options["encoding"],
                delimiter=options["delimiter"],
            )
        more = report.refused - min(len(report.refusals), SHOWN)
        self.show(
            report.as_dict(),
            f"{report.values:,} values: {report.summary}",
            *([f"Read from: {', '.join(report.columns)}"] if report.columns else []),
            *(f"  row {row}: {value}: {why}" for row, value, why in report.refusals[:SHOWN]),
            *([f"  and {more:,} more"] if more else []),
        )

    def export(self, options: dict[str, Any]) -> None:
        if self.as_json and options["file"] is None:
            raise CommandError("The list is exported as CSV: with --json name a FILE for it.", returncode=WRONG_USAGE)
        write(suppressions_csv(Suppression.objects.all()), options["file"])
        if options["file"]:
            count = Suppression.objects.count()
            self.show({"suppressions": count}, f"{count} suppressions written to {options['file']}")

    def do_check(self, options: dict[str, Any]) -> None:
        checked = suppression.check(options["values"])
        rows = [
            [
                one.value,
                "nobody writes there" if one.suppressed else "may be written to",
                *([row.value, row.cause, f"{row.created_at:%Y-%m-%d}", row.reason] if (row := one.row) else []),
            ]
            for one in checked
        ]
        self.show(
            [one.as_dict() for one in checked],
            table(["value", "", "by", "cause", "since", "reason"], [[*row, *[""] * (6 - len(row))] for row in rows]),
        )

    def remove(self, options: dict[str, Any]) -> None:
        (checked,) = suppression.check([options["value"]])
        row = checked.row
        if row is None or row.value != checked.value:
            by = f" Its domain is: {row.value}." if row else ""
            raise CommandError(f"{checked.value} is not on the list.{by}", returncode=REFUSED)
        suppression.lift(row, actor=self.actor(options), reason=options["reason"])
        self.show({"value": row.value, "removed": True}, f"{row.value} is off the list. What had ended stays ended.")
