"""What the breakers announce. Signals stay inside a process: they are the fast path, the supervisor the guarantee.

All are sent with `send_robust`: a listener that raises breaks nothing.
"""

from django.dispatch import Signal

# opening: circuitbreakers.switch.Opening. Sent once per opening, by the process that caused it.
breaker_opened = Signal()
# service: str. The wait after an opening is over; only free probes are admitted.
breaker_half_opened = Signal()
# service: str, result: ProbeResult, outcome: "kept" | "reopened" | "stale".
breaker_probed = Signal()
# service: str, actor: Actor. An operator closed the breaker.
breaker_reset = Signal()
