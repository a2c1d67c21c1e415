"""Whoever looks after the queue is reminded of what stands beyond its time, with what a resume would need."""

import logging

from campaigns import resume_plan
from circuitbreakers import planned

logger = logging.getLogger(__name__)


def remind() -> int:
    """Log each reminder that is due and was not given yet, as the supervisor's step; how many. Nothing is resumed."""
    new = planned.unsaid(planned.due())
    if new:
        plan = in_one_line()
        for reminder in new:
            planned.put_on_record(reminder, plan)
            logger.warning("Reminder: %s. %s", reminder.text, plan, extra={"service": reminder.service})
    return len(new)


def in_one_line() -> str:
    """Say in one line what a queue resume would bring back, or what it lacks."""
    plan = resume_plan.plan()
    if not plan.ready:
        return f"A queue resume lacks: {plan.missing}"
    still = ", ".join(plan.services_still_paused) or "none"
    return (
        f"A queue resume would bring back {plan.campaigns} campaigns and {sum(plan.jobs.values())} jobs; "
        f"queues that operators keep paused: {still}"
    )
