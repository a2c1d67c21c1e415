"""`manage.py prune` deletes what is older than its retention. For cron; it needs no supervisor and no worker."""

import signal
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandParser

from campaigns.pruning.run import KINDS, Pruned, PruneRefused, foretell, prune
from circuitbreakers.commands import VerbCommand, table


class Command(VerbCommand):
    help = "Delete what is older than its retention (KEEP_..._DAYS), in batches beside paid work."
    refusals = (PruneRefused,)
    works_without_keys = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.set_defaults(verb="prune")
        self.add_common(parser, changes=True)
        parser.add_argument("--dry-run", action="store_true", help="count what would go; change nothing")
        parser.add_argument("--only", nargs="+", choices=list(KINDS), metavar="KIND", help=", ".join(KINDS))
        parser.add_argument("--minutes", type=float, default=0, help="stop after so long; the next one goes on")
        parser.add_argument("--share", type=_per_cent, default=20, help="per cent of the time that it works (20)")

    def prune(self, options: dict[str, Any]) -> None:
        kinds = options["only"] or list(KINDS)
        if options["dry_run"]:
            self._report(foretell(kinds), kinds, dry_run=True)
            return
        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, frame: stopped.append(received))
        ends = time.monotonic() + options["minutes"] * 60 if options["minutes"] else float("inf")
        pruned = prune(
            kinds,
            actor=self.actor(options),
            reason=options["reason"],
            share=options["share"],
            stopping=lambda: bool(stopped) or time.monotonic() >= ends,
        )
        self._report(pruned, kinds, dry_run=False)

    def _report(self, pruned: Pruned, kinds: list[str], *, dry_run: bool) -> None:
        before = {kind: at.isoformat() for kind, at in pruned.before.items()}
        shown = [*kinds, *(["calls"] if "jobs" in pruned.before else [])]
        rows = [
            (kind, pruned.rows[kind], f"before {pruned.before.get(kind, pruned.before.get('jobs')):%Y-%m-%d %H:%M}")
            for kind in shown
            if kind in pruned.rows
        ]
        rows += [(kind, 0, "kept for ever") for kind in kinds if kind not in pruned.before]
        end = "Nothing was changed." if dry_run else "Done." if pruned.whole else "Stopped; the next one goes on."
        self.show(
            {"dry_run": dry_run, "rows": dict(pruned.rows), "before": before, "whole": pruned.whole},
            table(["rows of", "would go" if dry_run else "gone", "of"], rows),
            end,
        )


def _per_cent(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100):
        raise ArgumentTypeError(f"1 to 100, not {text!r}")
    return int(text)
