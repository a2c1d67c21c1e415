"""Workers and supervisors count in memory what no row says; `kept` adds it up over all processes.

A label has few values, all of them known beforehand: no campaign, no job, no person.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

# Seconds. A call may take two minutes; a round that takes longer than one second has held somebody up.
OF_CALLS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
OF_ROUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REGISTRY = CollectorRegistry()

CALLS = Counter(
    "holdfast_calls_total",
    "Calls that have ended and are booked, by how they ended.",
    ["service", "outcome"],
    registry=REGISTRY,
)
CALL_SECONDS = Histogram(
    "holdfast_call_duration_seconds",
    "From a call's first byte to the end of its answer.",
    ["service"],
    buckets=OF_CALLS,
    registry=REGISTRY,
)
ADMISSIONS = Counter(
    "holdfast_admissions_total", "Jobs whose call the gate has admitted.", ["service"], registry=REGISTRY
)
REFUSALS = Counter(
    "holdfast_refusals_total",
    "Jobs whose call the gate has refused, or that came too late to be sent.",
    ["service", "reason"],
    registry=REGISTRY,
)
DISPATCH_ROUNDS = Counter("holdfast_dispatch_rounds_total", "Rounds of dispatch.", registry=REGISTRY)
DISPATCHED = Counter(
    "holdfast_jobs_dispatched_total", "Messages sent to a service's queue, one a job.", ["service"], registry=REGISTRY
)
RECLAIMED = Counter(
    "holdfast_leases_reclaimed_total",
    "Jobs taken back when their lease had ended: their worker died, or it lost the answer.",
    ["reason"],
    registry=REGISTRY,
)
DELIVERIES = Counter(
    "holdfast_deliveries_total", "Attempts to tell people something, by how they ended.", ["outcome"], registry=REGISTRY
)
ROUND_SECONDS = Histogram(
    "holdfast_supervisor_round_duration_seconds",
    "A round of the leading supervisor.",
    buckets=OF_ROUNDS,
    registry=REGISTRY,
)
STEP_FAILURES = Counter(
    "holdfast_supervisor_step_failures_total",
    "Runs of a supervisor's step that failed or were cut off; Redis away counts.",
    ["step"],
    registry=REGISTRY,
)
