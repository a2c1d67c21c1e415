"""The breakers announce what they do by these signals. A signal stays inside its process: it is the fast path, the
supervisor the guarantee.

It is sent with `send_robust`: a listener that raises breaks nothing. Everything else that happens to a breaker is a row
in `events`.
"""

from django.dispatch import Signal

# opening: circuitbreakers.states.Opening. Sent by the process that caused it, and by whoever finds it without an
# incident. A listener returns True when it wrote it down.
breaker_opened = Signal()

# service. An operator lets its calls go out although the vendor asked us to wait.
wait_lifted = Signal()

# service, job (its id). One real job may be run although the system is paused: its message says so.
one_let_through = Signal()

# service, within (seconds). Its calls may go out faster, in every process after that time.
limits_changed = Signal()

# No arguments. Redis started anew and its contents agree with PostgreSQL again: what was only in Redis may be lost.
switch_sealed = Signal()

# event: models.Event. It was just recorded; sent in its transaction, which a listener must not break.
event_recorded = Signal()

# scope. Work of a budget's scope begins or ends to wait; sent in the transaction that writes it, by `send`: a listener
# that raises undoes both.
budget_halted = Signal()
