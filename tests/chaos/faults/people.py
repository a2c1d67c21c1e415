"""Operators get in each other's way, and in the way of a cascade."""

import threading
import time
from functools import partial

from tests.chaos.faults import fault
from tests.chaos.faults.vendors import VENDORS, ill


def at_once(*acts):
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@fault("people", "two operators recover at once", short=True)
def two_operators(experiment, chance):
    experiment.open(chance)
    at_once(*(partial(experiment.reset_all, one) for one in experiment.operators))
    at_once(*(partial(experiment.resume, one) for one in experiment.operators))


@fault("people", "a resume in the middle of an opening")
def resume_in_opening(experiment, chance):
    at_once(partial(experiment.open, chance), partial(again_and_again, experiment, 2.0))


def again_and_again(experiment, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        experiment.resume(experiment.bob)


@fault("people", "a cancellation in the middle of an opening")
def cancel_in_opening(experiment, chance):
    running = experiment.books.value("SELECT max(id) FROM campaigns WHERE status = 'RUNNING' HAVING count(*) > 1")
    at_once(
        partial(experiment.open, chance),
        lambda: running and experiment.bob.act(f"campaigns/{running}/cancel", reason="chaos"),
    )


@fault("people", "an import and a start in the middle of an opening")
def import_in_opening(experiment, chance):
    at_once(partial(experiment.open, chance), partial(experiment.restock, 40))


@fault("people", "a pause and its end in the middle of an opening")
def pause_in_opening(experiment, chance):
    service = chance.choice(VENDORS)

    def pause():
        experiment.bob.act("queue-management/pause-service", service=service, reason="chaos")
        experiment.bob.act("queue-management/resume-service", service=service, reason="chaos")

    at_once(partial(experiment.open, chance), pause)


@fault("people", "a hold and its release")
def hold(experiment, chance):
    service = chance.choice(VENDORS)
    experiment.ann.act(f"queue-management/circuit-breakers/{service}/hold", reason="chaos")
    time.sleep(chance.uniform(0, 1))
    for _ in range(5):
        if experiment.bob.act(f"queue-management/circuit-breakers/{service}/release", reason="chaos") is not None:
            return


@fault("people", "a policy is edited in the middle of an opening")
def edit_in_opening(experiment, chance):
    service = chance.choice(VENDORS)

    def edit():
        experiment.bob.act(f"queue-management/circuit-breakers/{service}/slow", reason="chaos", percent=90)
        for _ in range(5):
            done = experiment.bob.act(f"queue-management/circuit-breakers/{service}/full-speed", reason="chaos")
            if done is not None:
                return

    at_once(partial(experiment.open, chance), edit)


@fault("budget", "runs out, and is raised")
def budget(experiment, chance):
    service = chance.choice(VENDORS)
    spent = experiment.books.value(
        "SELECT coalesce(sum(number), 0) FROM call_tallies WHERE service = %s AND day = CURRENT_DATE", service
    )
    name = {"scope": f"service:{service}", "period": "day"}
    limit = str(int(spent) + chance.randint(1, 20))
    experiment.ann.act("budgets", **name, limit_calls=limit, reason="chaos")
    time.sleep(chance.uniform(4, 8))
    for _ in range(10):
        if experiment.bob.act("budgets/remove", **name, reason="chaos") is not None:
            return
        time.sleep(0.5)


@fault("budget", "runs out in the middle of an opening")
def budget_in_opening(experiment, chance):
    at_once(partial(budget, experiment, chance), partial(ill, experiment, VENDORS[-1], fault="server_error"))
