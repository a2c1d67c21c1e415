"""`manage.py incident` lists incidents, says who is at them, and takes notes."""

from typing import Any

from circuitbreakers import breaker, notes
from circuitbreakers.commands import VerbCommand, table
from circuitbreakers.models import Incident

SHOWN = 20


class Command(VerbCommand):
    help = "Look at incidents; say that somebody is at one, whose it is, and what is known."
    refusals = (breaker.BreakerRefused,)

    def add_verbs(self) -> None:
        self.verb("list", f"those not yet reset, then the latest: {SHOWN} at most")
        acknowledge = self.verb("acknowledge", "say that somebody looks after it; ends the reminders", changes=True)
        assign = self.verb("assign", "say whose it is; acknowledges it, too", changes=True)
        note = self.verb("note", "append a note, the --reason, to its timeline", changes=True)
        for parser in (acknowledge, assign, note):
            parser.add_argument("incident", type=int)
        assign.add_argument("to", help="an active user's name")

    def list(self, options: dict[str, Any]) -> None:
        rows = Incident.objects.defer("evidence").order_by("-id")
        first = [*rows.filter(reset_at=None)[:SHOWN], *rows.exclude(reset_at=None)[:SHOWN]][:SHOWN]
        data = [
            {
                "id": row.pk,
                "service": row.service,
                "opened_at": row.opened_at,
                "reason": row.reason,
                "reset_at": row.reset_at,
                "acknowledged_by": row.acknowledged_by,
                "assigned_to": row.assigned_to,
            }
            for row in first
        ]
        cells = [
            [
                row.pk,
                row.service,
                f"{row.opened_at:%Y-%m-%d %H:%M}",
                row.reason,
                row.reset_by or "open",
                notes.at_it(row),
            ]
            for row in first
        ]
        self.show({"incidents": data}, table(["id", "service", "opened (UTC)", "reason", "reset by", "at it"], cells))

    def acknowledge(self, options: dict[str, Any]) -> None:
        pk = options["incident"]
        changed = notes.acknowledge(pk, actor=self.actor(options), reason=options["reason"])
        self._changed(pk, changed, "is acknowledged" if changed else "was acknowledged already")

    def assign(self, options: dict[str, Any]) -> None:
        pk, to = options["incident"], options["to"]
        changed = notes.assign(pk, to, actor=self.actor(options), reason=options["reason"])
        self._changed(pk, changed, f"{'is' if changed else 'was already'} {to}'s")

    def note(self, options: dict[str, Any]) -> None:
        notes.note(options["incident"], actor=self.actor(options), text=options["reason"])
        self._changed(options["incident"], True, "has your note on its timeline")

    def _changed(self, pk: int, changed: bool, did: str) -> None:
        message = f"Incident {pk} {did}."
        self.show({"incident": pk, "changed": changed, "message": message}, message)
