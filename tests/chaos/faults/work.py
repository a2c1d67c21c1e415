"""Workers, supervisors and web processes are killed and frozen."""

import signal
import threading
import time
from functools import partial

from tests.chaos.faults import fault
from tests.chaos.house import SUPERVISORS, WORKERS
from tests.chaos.processes import of_group

# A lease is the call's deadline and 40 s (campaigns/jobs.py).
LONGER_THAN_A_LEASE = 48


@fault("worker", "SIGKILL of its process, and of what it left", weight=4, times=3, short=True)
def kill_worker(experiment, chance):
    experiment.house.kill_and_start(chance.choice(WORKERS))


@fault("worker", "SIGKILL of the child that works", times=2)
def kill_working_child(experiment, chance):
    name = chance.choice(WORKERS)
    leader = experiment.house.child(name).pid
    if children := [pid for pid in of_group(leader) if pid != leader]:
        experiment.signal(chance.choice(children), signal.SIGKILL)
    time.sleep(chance.uniform(0, 0.5))
    experiment.house.kill_and_start(name)


@fault("worker", "SIGTERM, and started again")
def deploy_worker(experiment, chance):
    experiment.house.restart(chance.choice(WORKERS))


@fault("worker", "SIGSTOP for a moment", weight=4, times=4, short=True)
def stop_worker(experiment, chance):
    freeze(experiment, chance.choice(WORKERS), chance.uniform(0.2, 2.5))


@fault("worker", "SIGSTOP for longer than its leases")
def stop_worker_long(experiment, chance):
    name = chance.choice(WORKERS)
    if name in experiment.frozen:
        return
    experiment.frozen.add(name)
    pids = of_group(experiment.house.child(name).pid)
    for pid in pids:
        experiment.signal(pid, signal.SIGSTOP)

    def thaw():
        experiment.frozen.discard(name)
        for pid in pids:
            experiment.signal(pid, signal.SIGCONT)

    experiment.later(LONGER_THAN_A_LEASE, thaw)


@fault("supervisor", "SIGKILL", weight=3, times=2, short=True)
def kill_supervisor(experiment, chance):
    experiment.house.kill_and_start(chance.choice(SUPERVISORS))


@fault("supervisor", "SIGKILL of both")
def kill_supervisors(experiment, chance):
    for name in SUPERVISORS:
        experiment.house.kill_and_start(name)


@fault("supervisor", "SIGSTOP of the one that leads", weight=3)
def stop_leader(experiment, chance):
    leading = experiment.books.value('SELECT name FROM processes WHERE "leading" ORDER BY seen_at DESC LIMIT 1')
    if leading is None:
        return
    pid = int(leading.rpartition(":")[2])
    experiment.signal(pid, signal.SIGSTOP)
    time.sleep(chance.choice((chance.uniform(0.5, 3), 12)))
    experiment.signal(pid, signal.SIGCONT)


@fault("supervisor", "SIGSTOP of both for a moment")
def stop_supervisors(experiment, chance):
    seconds = chance.uniform(0.5, 4)
    threads = [threading.Thread(target=partial(freeze, experiment, name, seconds)) for name in SUPERVISORS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@fault("web", "SIGKILL within a reset", short=True)
def kill_web_in_reset(experiment, chance):
    experiment.open(chance)
    killed_within(experiment, chance, lambda: experiment.reset_all(experiment.ann))


@fault("web", "SIGKILL within a resume")
def kill_web_in_resume(experiment, chance):
    experiment.open(chance)
    experiment.reset_all(experiment.ann)
    killed_within(experiment, chance, lambda: experiment.resume(experiment.ann))


def killed_within(experiment, chance, act):
    """Kill the web process somewhere between the beginning and the end of a request."""
    thread = threading.Thread(target=act)
    thread.start()
    time.sleep(chance.uniform(0, 0.12))
    experiment.house.kill_and_start("web")
    thread.join()
    experiment.house.child("web").wait_until_ready()


def freeze(experiment, name, seconds):
    pids = of_group(experiment.house.child(name).pid)
    for pid in pids:
        experiment.signal(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        if name not in experiment.frozen:
            experiment.signal(pid, signal.SIGCONT)
