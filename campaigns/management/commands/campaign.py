"""`manage.py campaign` makes campaigns, imports and exports leads, starts, pauses, resumes, retries, cancels."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from campaigns import apollo_url, estimate, first_leads, lifecycle, moves, prompts, rewrite, tallies, targets
from campaigns.contacts.departing import depart
from campaigns.contacts.policy import LIMITS, policy_of
from campaigns.leads.csvfile import ImportRefused
from campaigns.leads.exporting import export_csv
from campaigns.leads.foretell import foretell
from campaigns.leads.importing import ImportReport, import_source
from campaigns.leads.source import Source, opened
from campaigns.management import campaign_report
from campaigns.management.files import files_or_refusal, require_file, write
from campaigns.management.reading import add_first, add_reading, progress_bar, report_lines
from campaigns.models import Campaign, Lead
from campaigns.moves import warnings_of
from circuitbreakers.commands import WRONG_USAGE, VerbCommand, table

LISTED = 50
NOTHING_CHANGED = "Nothing was changed."
WARNING = "Warning: {}"


class Command(VerbCommand):
    help = "Make campaigns, import and export leads, start, pause, resume, retry and cancel."
    refusals = (moves.MoveRefused, ImportRefused)

    def add_verbs(self) -> None:
        create = self.verb("create", "a new campaign, from a CSV or an Apollo people search", changes=True)
        create.add_argument("name")
        source = create.add_mutually_exclusive_group()
        source.add_argument("--csv", type=Path, metavar="FILE", help="leads in Apollo's export format")
        source.add_argument("--apollo-url", metavar="URL", help="a people search, as copied from Apollo's app")
        create.add_argument("--max-leads", type=int, default=100, metavar="N", help="of a search (default 100)")
        create.add_argument("--instantly-campaign", default="", metavar="ID", help="made at start when not given")
        create.add_argument("--start", action="store_true")
        create.add_argument("--review", default="off", choices=Campaign.Review.values, help="mails that are read first")
        add_first(create)
        add_reading(create)
        importing = self.verb("import", "add the leads of a CSV", changes=True)
        importing.add_argument("id", type=int)
        importing.add_argument("file", type=Path)
        importing.add_argument("--skipped", type=Path, metavar="FILE", help="write the skipped rows and why to a CSV")
        add_reading(importing)
        for name, text in (
            ("start", "CREATED -> RUNNING"),
            ("pause", "an operator's pause; it survives a queue resume"),
            ("go-on", "with all leads, after the first ones have been read"),
            ("extend", "take more leads in before it holds again"),
            ("rewrite", "the first leads' mails once more, by the prompts as they are now; each is paid for again"),
            ("resume", "lift an operator's pause"),
            ("cancel", "end it for good"),
        ):
            parser = self.verb(name, text, changes=True)
            parser.add_argument("id", type=int)
            if name == "start":
                add_first(parser)
            if name == "extend":
                parser.add_argument("more", type=int, metavar="LEADS")
        retry = self.verb("retry-failed", "put back what failed through a vendor's fault", changes=True)
        retry.add_argument("id", type=int)
        retry.add_argument(
            "--refused", action="store_true", help="what the vendor called invalid as well, when its cause is mended"
        )
        target = self.verb("target", "push into another campaign at Instantly", changes=True)
        target.add_argument("id", type=int)
        target.add_argument("instantly_campaign", metavar="INSTANTLY_ID", help="'' has one made")
        policy = self.verb(
            "contact-policy",
            "depart from the installation's contact policy in the points given, or from none",
            changes=True,
        )
        policy.add_argument("id", type=int)
        policy.add_argument("--exclusive", choices=["yes", "no"], help="leave alone who is in another's conversation")
        for name in LIMITS:
            policy.add_argument(
                f"--{name.replace('_', '-')}", type=int, metavar="N", help="docs/contacts.md says what it means"
            )
        check = self.verb("check-target", "ask Instantly at once whether it sends; free", changes=True)
        check.add_argument("id", type=int)
        preview = self.verb("preview", "the instructions and prompts for one lead; sends nothing")
        preview.add_argument("id", type=int)
        preview.add_argument("lead", type=int, nargs="?", help="default: the first one")
        foretell = self.verb("estimate", "what is still to be spent on it: at most, and about by the last 30 days")
        foretell.add_argument("id", type=int)
        status = self.verb("status", "one campaign, or the latest ones")
        status.add_argument("id", type=int, nargs="?")
        export = self.verb("export", "all leads as CSV; --json prints a report and needs a FILE for the leads")
        export.add_argument("id", type=int)
        export.add_argument("file", type=Path, nargs="?", help="default: standard output")
        export.add_argument("--state", default="", choices=Lead.State.values, help="only leads in this state")

    def create(self, options: dict[str, Any]) -> None:
        actor = self.actor(options)
        if options["first"] is not None and not options["start"]:
            raise CommandError("--first goes with --start.", returncode=WRONG_USAGE)
        fields: dict[str, Any] = {
            "name": options["name"],
            "max_leads": options["max_leads"],
            "instantly_campaign_id": options["instantly_campaign"],
            "review": options["review"],
        }
        messages: list[str] = []
        if options["apollo_url"]:
            try:
                search = apollo_url.from_url(options["apollo_url"])
            except ValueError as error:
                raise CommandError(str(error), returncode=WRONG_USAGE) from None
            fields |= {"search": search.params, "search_url": options["apollo_url"]}
            messages = search.messages
        with self.source(options["csv"], options) if options["csv"] else nullcontext() as source:
            # The file has been checked: from here on only the system can refuse.
            if options["dry_run"]:
                return self._foretell_creation(fields, messages, source)
            campaign = lifecycle.create(actor=actor, reason=options["reason"], **fields)
            report = self._import(campaign, source, options) if source else None
        warnings: list[str] = []
        if options["start"]:
            first = options["first"]
            campaign = lifecycle.start(campaign.pk, actor=actor, reason=options["reason"], first=first)
            warnings = warnings_of(campaign, campaign.first_leads)
        data = {"id": campaign.pk, "name": campaign.name, "status": campaign.status, "messages": messages}
        data["warnings"] = warnings
        lines = [f"Campaign {campaign.pk} created: {campaign.name}", *messages]
        if report:
            data["import"] = report.as_dict()
            lines += report_lines(report)
        lines += [f"It is {campaign.status}. {first_leads.hold_of(campaign)}".rstrip()]
        return self.show(data, *lines, *map(WARNING.format, warnings))

    def _foretell_creation(self, fields: dict[str, Any], messages: list[str], source: Source | None) -> None:
        Campaign(**fields).full_clean(exclude=["created_by", "idempotency_key"])
        data: dict[str, Any] = {"dry_run": True, "name": fields["name"], "messages": messages}
        lines = [f"Campaign {fields['name']} would be created.", *messages]
        if source:
            report = foretell(source, None)
            data["import"] = report.as_dict()
            lines += report_lines(report, dry_run=True)
        self.show(data, *lines, NOTHING_CHANGED)

    def do_import(self, options: dict[str, Any]) -> None:
        campaign = Campaign.objects.get(pk=options["id"])
        with self.source(options["file"], options) as source:
            if options["dry_run"]:
                report = foretell(source, campaign)
                lines = [*report_lines(report, dry_run=True), NOTHING_CHANGED]
                self.show({"id": campaign.pk, "dry_run": True, **report.as_dict()}, *lines)
                return
            report = self._import(campaign, source, options)
        self.show({"id": campaign.pk, **report.as_dict()}, *report_lines(report))

    @contextmanager
    def source(self, path: Path, options: dict[str, Any]) -> Iterator[Source]:
        """Open the file, checked before anything is made for it."""
        require_file(path)
        mapping = dict(options["map"]) or None
        with files_or_refusal(path), path.open("rb") as stream:
            reading = opened(stream, mapping=mapping, encoding=options["encoding"], delimiter=options["delimiter"])
            with reading as source:
                yield source

    def _import(self, campaign: Campaign, source: Source, options: dict[str, Any]) -> ImportReport:
        skipped, path = options.get("skipped"), options.get("csv") or options["file"]
        if skipped is not None and skipped.resolve() == path.resolve():
            raise CommandError("--skipped must name another file than the leads'.", returncode=WRONG_USAGE)
        arguments: dict[str, Any] = {
            "actor": self.actor(options),
            "reason": options["reason"],
            "progress": None if self.as_json else progress_bar(self.stderr, path.stat().st_size),
        }
        if skipped is None:
            return import_source(campaign, source, **arguments)
        with files_or_refusal(skipped), skipped.open("w", newline="", encoding="utf-8") as target:
            return import_source(campaign, source, skipped_to=target, **arguments)

    def start(self, options: dict[str, Any]) -> None:
        details = {"actor": self.actor(options), "reason": options["reason"], "first": options["first"]}
        campaign = lifecycle.start(options["id"], **details)
        self._moved(campaign, warnings_of(campaign, campaign.first_leads))

    def go_on(self, options: dict[str, Any]) -> None:
        campaign = first_leads.go_on(options["id"], actor=self.actor(options), reason=options["reason"])
        self._moved(campaign, warnings_of(campaign, campaign.first_leads))

    def extend(self, options: dict[str, Any]) -> None:
        details = {"actor": self.actor(options), "reason": options["reason"]}
        campaign = first_leads.extend(options["id"], options["more"], **details)
        self._moved(campaign, warnings_of(campaign, campaign.first_leads))

    def rewrite(self, options: dict[str, Any]) -> None:
        mails = rewrite.rewrite(options["id"], actor=self.actor(options), reason=options["reason"])
        said = f"{mails} mails of campaign {options['id']} are written again." if mails else "No mail is written yet."
        self.show({"id": options["id"], "mails": mails}, said)

    def pause(self, options: dict[str, Any]) -> None:
        self._moved(lifecycle.pause(options["id"], actor=self.actor(options), reason=options["reason"]))

    def resume(self, options: dict[str, Any]) -> None:
        self._moved(lifecycle.resume(options["id"], actor=self.actor(options), reason=options["reason"]))

    def cancel(self, options: dict[str, Any]) -> None:
        self._moved(lifecycle.cancel(options["id"], actor=self.actor(options), reason=options["reason"]))

    def retry_failed(self, options: dict[str, Any]) -> None:
        count = lifecycle.retry_failed(
            options["id"], actor=self.actor(options), reason=options["reason"], refused=options["refused"]
        )
        self.show({"id": options["id"], "jobs": count}, f"{count} failed jobs of campaign {options['id']} put back.")

    def target(self, options: dict[str, Any]) -> None:
        campaign = lifecycle.retarget(
            options["id"],
            target=options["instantly_campaign"],
            actor=self.actor(options),
            reason=options["reason"],
        )
        target = campaign.instantly_campaign_id
        self.show(
            {"id": campaign.pk, "instantly_campaign_id": target, "status": campaign.status},
            f"Campaign {campaign.pk} pushes into {target or 'a campaign to be made'}. It is {campaign.status}.",
        )

    def contact_policy(self, options: dict[str, Any]) -> None:
        given = {name: options[name] for name in LIMITS if options[name] is not None}
        if options["exclusive"]:
            given["exclusive"] = options["exclusive"] == "yes"
        campaign = depart(options["id"], departures=given, actor=self.actor(options), reason=options["reason"])
        policy = policy_of(campaign.contact_policy).as_dict()
        self.show(
            {"id": campaign.pk, "departures": campaign.contact_policy or {}, "contact_policy": policy},
            f"Campaign {campaign.pk}: " + ", ".join(f"{name} {value}" for name, value in policy.items()),
        )

    def check_target(self, options: dict[str, Any]) -> None:
        campaign = targets.check(options["id"], actor=self.actor(options), reason=options["reason"])
        self.show(
            {"id": campaign.pk, "status": campaign.status, "target_halt": campaign.target_halt},
            f"Instantly is asked about the target of campaign {campaign.pk}: see `campaign status {campaign.pk}`.",
        )

    def estimate(self, options: dict[str, Any]) -> None:
        campaign = Campaign.objects.get(pk=options["id"])
        foretold = estimate.of_campaign(campaign)
        self.show({"id": campaign.pk, **foretold.as_dict()}, foretold.sentence)

    def preview(self, options: dict[str, Any]) -> None:
        campaign = Campaign.objects.get(pk=options["id"])
        lead = Lead.objects.get(pk=options["lead"], campaign=campaign) if options["lead"] is not None else None
        shown = prompts.preview(campaign, lead)
        self.show(dataclasses.asdict(shown), *campaign_report.preview_lines(campaign, shown))

    def _moved(self, campaign: Campaign, warnings: list[str] | None = None) -> None:
        data: dict[str, Any] = {name: getattr(campaign, name) for name in ("id", "status", "status_message")}
        if warnings is not None:
            data["warnings"] = warnings
        parts = (
            f"Campaign {campaign.pk} is {campaign.status}.",
            campaign.status_message,
            first_leads.hold_of(campaign),
        )
        self.show(data, " ".join(filter(None, parts)), *map(WARNING.format, warnings or []))

    def status(self, options: dict[str, Any]) -> None:
        if options["id"] is None:
            names = ("id", "name", "status", "status_message", "target_halt", "budget_halt", "first_leads")
            rows = list(Campaign.objects.values(*names)[:LISTED])
            self.show(
                {"mode": settings.MODE, "campaigns": rows},
                f"Mode: {settings.MODE.upper()}",
                table(
                    ["id", "name", "status", "message", "target", "budget", "first leads"],
                    [list(row.values()) for row in rows],
                ),
            )
            return
        self.show(*campaign_report.status_of(Campaign.objects.get(pk=options["id"])))

    def export(self, options: dict[str, Any]) -> None:
        if self.as_json and options["file"] is None:
            raise CommandError(
                "The leads are exported as CSV: with --json name a FILE for them.", returncode=WRONG_USAGE
            )
        campaign = Campaign.objects.get(pk=options["id"])
        write(export_csv(campaign, options["state"]), options["file"])
        if options["file"] is None:
            return
        leads = tallies.progress([campaign.pk])[campaign.pk].leads
        count = leads.get(options["state"], 0) if options["state"] else sum(leads.values())
        self.show({"id": campaign.pk, "leads": count}, f"{count} leads written to {options['file']}")
