"""One real job is run while the system is paused, and what it found is told to the incident."""

from campaigns.models import VendorCall
from campaigns.try_one import incident_of
from circuitbreakers import events
from circuitbreakers.models import Event
from workers.run import run


def run_once(pk: int, service: str) -> str:
    """Run the job that was let through and record what came of it; what happened, as `run` says."""
    happened = run(pk, service, once=True)
    asked = Event.objects.filter(subject_type="breaker", subject_id=service, verb="try_one", after__job=pk).first()
    if asked is None or happened == "nothing":
        return happened
    fence = str((asked.after or {}).get("call", "")).partition(":")[2]
    call = VendorCall.objects.filter(job_id=pk, fence=int(fence or 0)).first()
    kind = (asked.after or {}).get("kind", "")
    if call is None:
        found = f"one {kind} job was tried, without a call: {happened}"
    else:
        found = f"one {kind} job was tried: {call.outcome}, ${call.cost_usd:.4f}"
        found += f": {call.error}" if call.error else ""
    after = {"job": pk, "outcome": call.outcome if call else "", "happened": happened}
    incident = asked.incident_id or incident_of(service)
    events.record("breaker", service, "tried_one", actor=events.WORKER, reason=found, after=after, incident=incident)
    return happened
