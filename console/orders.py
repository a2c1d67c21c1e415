"""An order says who asks for something in the console, and why. Every page of it knows the same refusals."""

from dataclasses import dataclass

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.http import HttpRequest

from campaigns.failures.plans import FailuresRefused
from campaigns.first_leads import MOST
from campaigns.leads.suppression import LiftRefused
from campaigns.moves import MoveRefused
from campaigns.recovery import ResumeRefused
from campaigns.try_one import TryRefused
from circuitbreakers import breaker
from circuitbreakers.budget_verbs import BudgetRefused
from circuitbreakers.confirmations import ConfirmationRefused, SecondPersonNeeded
from circuitbreakers.events import Actor
from circuitbreakers.pauses import SwitchRefused
from circuitbreakers.probes import ProbeRunning
from circuitbreakers.ramp_verbs import RampRefused
from circuitbreakers.storable import REASON_LENGTH
from circuitbreakers.switch import RedisUnavailable
from notifications.channels import ChannelRefused


class OrderRefused(Exception):
    """The form lacks a reason, or has one that is too long, or a number that is none. Nothing was done."""


# What a verb may answer instead of doing it; the text says why. Everything else is a fault of ours.
REFUSALS = (
    OrderRefused,
    SecondPersonNeeded,
    ConfirmationRefused,
    MoveRefused,
    FailuresRefused,
    LiftRefused,
    ResumeRefused,
    breaker.BreakerRefused,
    BudgetRefused,
    SwitchRefused,
    RampRefused,
    TryRefused,
    ProbeRunning,
    RedisUnavailable,
    ChannelRefused,
    ObjectDoesNotExist,
    ValidationError,
)


@dataclass(frozen=True)
class Order:
    """An Order is what a user has confirmed: `force` goes on although the probe fails, `first` holds after so many
    leads, `target` is a campaign at Instantly."""

    actor: Actor
    reason: str
    force: bool = False
    first: int | None = None
    target: str = ""


def actor_of(request: HttpRequest) -> Actor:
    """Return the user who is signed in, as an actor through the console."""
    return Actor(request.user.get_username(), "admin", request.user.pk)


def order_of(request: HttpRequest, *, reason_required: bool) -> Order:
    """Return the order in a posted form. Raises OrderRefused, as the API does: no half reason goes on record."""
    reason = request.POST.get("reason", "").strip()
    if reason_required and not reason:
        raise OrderRefused("A reason is needed: it becomes part of the record.")
    if len(reason) > REASON_LENGTH:
        raise OrderRefused(f"A reason has at most {REASON_LENGTH} characters; this one has {len(reason):,}.")
    first = request.POST.get("first", "").strip()
    if first and not (first.isdecimal() and first.isascii() and 1 <= int(first[:9]) <= MOST):
        raise OrderRefused(f"It can hold after its first 1 to {MOST} leads.")
    force, target = bool(request.POST.get("force")), request.POST.get("target", "").strip()
    return Order(actor_of(request), reason, force, int(first) if first else None, target)


def why(refusal: Exception) -> str:
    """Return one of REFUSALS as a sentence."""
    return "; ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
