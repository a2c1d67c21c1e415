"""`manage.py queue` shows status and plan, sets an operator's own pauses, and resumes the queue."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from campaigns import overview, ramp_report, recovery, resume_plan, try_one
from circuitbreakers import breaker, pauses, planned, ramp_verbs, switch
from circuitbreakers.commands import REFUSED, WRONG_USAGE, VerbCommand, instant, listed, table
from circuitbreakers.confirmations import SecondPersonNeeded

MOVES = {name.replace("_", "-"): move for name, move in ramp_verbs.MOVES.items()}


def in_words(ramp: dict[str, Any], service: str) -> str:
    """Return one line on a ramp."""
    held = f" ({ramp['hold_reason']})" if ramp["hold_reason"] else ""
    spent = f"{ramp['calls']} calls, ${ramp['spent_usd']:.2f} so far"
    return f"{service} is on its way back: {ramp['sentence']}{held}; {spent}"


class Command(VerbCommand):
    help = "Look at the queue, pause it, plan its resume and resume it."
    refusals = (
        SecondPersonNeeded,
        recovery.ResumeRefused,
        pauses.SwitchRefused,
        ramp_verbs.RampRefused,
        try_one.TryRefused,
        breaker.BreakerRefused,
    )

    def add_verbs(self) -> None:
        self.verb("status", "breakers, queue, jobs and campaigns")
        self.verb("plan", "what a resume would need and do")
        self.verb("outlook", "how far credits, plans and models reach; a supervisor asks every 15 minutes")
        pause = self.verb("pause", "an operator's own pause of one service's queue, or of all", changes=True)
        resume = self.verb(
            "resume", "the queue resume; with a service or --all, lift an operator's own pause", changes=True
        )
        plan_pause = self.verb(
            "plan-pause",
            "a pause that begins by itself; at its planned end it reminds, and never resumes",
            changes=True,
        )
        plan_pause.add_argument("--start", type=instant, required=True, help="ISO 8601: when it begins")
        plan_pause.add_argument("--end", type=instant, help="ISO 8601: when to remind whoever reads log and console")
        cancel = self.verb("cancel-planned", "take back a planned pause that has not begun", changes=True)
        cancel.add_argument("id", type=int)
        for parser in (pause, resume, plan_pause):
            parser.add_argument("service", nargs="?")
            parser.add_argument("--all", action="store_true", dest="everything", help="every service")
        resume.add_argument(
            "--canary", choices=("opened", "all"), default="opened", help="who begins with a canary (default: opened)"
        )
        resume.add_argument("--all-at-once", action="store_true", help="no canary and no steps; needs a reason")
        ramp = self.verb("ramp", "how far services are on their way back to full speed; move one", changes=True)
        ramp.add_argument("move", nargs="?", choices=tuple(MOVES))
        ramp.add_argument("service", nargs="?")
        tried = self.verb(
            "try-one", "let one real job of a service through while the system is paused; needs a reason", changes=True
        )
        tried.add_argument("service")

    def status(self, options: dict[str, Any]) -> None:
        data = overview.queue_status()
        rows = [
            [name, b["circuit_state"], data["queue"][name], data["paused_jobs"].get(name, 0), b["reason"]]
            for name, b in data["circuit_breakers"].items()
        ]
        self.show(
            data,
            f"Mode: {settings.MODE.upper()}",
            table(["service", "breaker", "queue", "paused jobs", "reason"], rows),
            f"Campaigns: {listed(data['campaigns'])}; waiting for their target: {data['halted_campaigns']}",
            f"Jobs: {listed(data['jobs'])}",
            *([f"Held by their budgets: {data['held_campaigns']} campaigns"] if data["held_campaigns"] else []),
            *(f"Work of {name} is {halt}" for name, halt in data["held_services"].items()),
            *(
                f"Paused by {p['actor']} since {p['since']:%Y-%m-%d %H:%M} ({p['key']}): {p['reason']}"
                for p in data["pauses"]
            ),
            *(in_words(b["ramp"], name) for name, b in data["circuit_breakers"].items() if b["ramp"]),
            *data["stopped_resumes"],
            *(
                f"Planned pause {p['id']} of {p['service']} by {p['actor']}: from {p['starts_at']:%Y-%m-%d %H:%M} UTC"
                + (f" to {p['ends_at']:%Y-%m-%d %H:%M} UTC" if p["ends_at"] else "")
                + f": {p['reason']}"
                for p in data["planned_pauses"]
            ),
            *(f"REMINDER: {reminder['text']}" for reminder in data["reminders"]),
            *([data["resume_plan"]] if data["resume_plan"] else []),
            *(
                f"{name} asked us to wait until {b['waits_until']:%Y-%m-%d %H:%M:%S} UTC "
                f"(lift it with `manage.py breaker lift-wait {name}`)"
                for name, b in data["circuit_breakers"].items()
                if b["waits_until"]
            ),
            *(
                f"{name} is slowed to {b['limits']['speed']['value']} % of its rate limits "
                f"(bring it back with `manage.py breaker full-speed {name}`)"
                for name, b in data["circuit_breakers"].items()
                if b["limits"]["speed"]["by_hand"]
            ),
        )

    def plan(self, options: dict[str, Any]) -> None:
        plan = resume_plan.plan()
        rows = [["pass" if p.ok else "FAIL", p.detail, p.mend] for p in plan.prerequisites]
        self.show(
            overview.plan_as_dict(plan),
            table(["", "prerequisite", "how to mend it"], rows),
            f"A resume would bring back {plan.campaigns} campaigns and {sum(plan.jobs.values())} jobs"
            + "".join(f"\n  {count} for {name}" for name, count in plan.jobs.items()),
            f"Still paused by operators: {plan.campaigns_still_paused} campaigns; "
            f"queues: {', '.join(plan.services_still_paused) or 'none'}",
            *(f"Will not last: {warning}" for warning in plan.warnings),
        )
        if not plan.ready:
            raise CommandError(f"Cannot resume queue: {plan.missing}", returncode=REFUSED)

    def outlook(self, options: dict[str, Any]) -> None:
        data = overview.outlook()
        rows = [[name, one["sentence"]] for name, one in data["services"].items()]
        self.show(data, table(["service", "outlook"], rows), f"The {data['prices']}.")

    def pause(self, options: dict[str, Any]) -> None:
        service = self._target(options)
        if service is None:
            raise CommandError("Name a service, or give --all.", returncode=WRONG_USAGE)
        changed = pauses.pause(service, actor=self.actor(options), reason=options["reason"])
        message = f"The queue of {service} is paused." if changed else f"The queue of {service} was paused already."
        self.show({"service": service, "changed": changed, "message": message}, message)

    def plan_pause(self, options: dict[str, Any]) -> None:
        service = self._target(options)
        if service is None:
            raise CommandError("Name a service, or give --all.", returncode=WRONG_USAGE)
        row = planned.plan(
            service,
            actor=self.actor(options),
            reason=options["reason"],
            starts_at=options["start"],
            ends_at=options["end"],
        )
        self.show(overview.planned_pause(row), f"Planned pause {row.pk}: {row}. It never resumes by itself.")

    def cancel_planned(self, options: dict[str, Any]) -> None:
        changed = planned.cancel(options["id"], actor=self.actor(options), reason=options["reason"])
        did = "is taken back" if changed else "has begun, or was taken back already"
        message = f"Planned pause {options['id']} {did}."
        self.show({"id": options["id"], "changed": changed, "message": message}, message)

    def resume(self, options: dict[str, Any]) -> None:
        service = self._target(options)
        if service is not None:
            changed = pauses.lift(service, actor=self.actor(options), reason=options["reason"])
            message = (
                f"The operator's pause of {service} is lifted."
                if changed
                else f"No operator's pause of {service} stood."
            )
            still = resume_plan.services_still_paused()
            self.show(
                {"service": service, "changed": changed, "services_still_paused": still, "message": message}, message
            )
            return
        result = recovery.resume(
            actor=self.actor(options),
            reason=options["reason"],
            canary_for_all=options["canary"] == "all",
            all_at_once=options["all_at_once"],
        )
        self.show(
            result.as_dict(),
            result.message,
            *result.errors,
            *(f"{name}: {where}" for name, where in result.stages.items()),
            f"Still paused by operators: {result.campaigns_still_paused} campaigns; "
            f"queues: {', '.join(result.services_still_paused) or 'none'}",
        )
        if result.interrupted_by:
            raise CommandError("The resume was interrupted.", returncode=REFUSED)

    def ramp(self, options: dict[str, Any]) -> None:
        if not options["move"]:
            reports, stopped = ramp_report.read(switch.read_all()), ramp_report.stopped()
            self.show(
                {"ramps": {one.service: one.as_dict() for one in reports}, "stopped_resumes": stopped},
                *(in_words(one.as_dict(), one.service) for one in reports),
                *stopped,
                *([] if reports or stopped else ["Every service is at full speed, or paused."]),
            )
            return
        if not options["service"]:
            raise CommandError("Name the service.", returncode=WRONG_USAGE)
        service, verb = options["service"], MOVES[options["move"]]
        changed, message = verb(service, actor=self.actor(options), reason=options["reason"])
        self.show({"service": service, "changed": changed, "message": message}, message)

    def try_one(self, options: dict[str, Any]) -> None:
        job = try_one.try_one(options["service"], actor=self.actor(options), reason=options["reason"])
        message = (
            f"Job {job.pk} ({job.kind}) is let through. What it finds is told by the incident within a minute or two."
        )
        self.show({"service": job.service, "job": job.pk, "message": message}, message)

    @staticmethod
    def _target(options: dict[str, Any]) -> str | None:
        if options["everything"] and options["service"]:
            raise CommandError("Name a service or give --all, not both.", returncode=WRONG_USAGE)
        return "all" if options["everything"] else options["service"]
