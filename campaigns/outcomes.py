"""This table says what follows from what Instantly tells of a lead that was pushed. Pure: it takes names and returns
values.

The order in which things are told never matters: of each kind the earliest instant counts, and the strongest cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Of what came of a push the strongest is shown; (outcome, Lead's column).
STRONGEST_FIRST = (
    ("UNSUBSCRIBED", "unsubscribed_at"),
    ("BOUNCED", "bounced_at"),
    ("REPLIED", "replied_at"),
    ("SENT", "sent_at"),
)
OUTCOMES = tuple(outcome for outcome, _ in STRONGEST_FIRST)
COLUMNS = tuple(column for _, column in STRONGEST_FIRST)

# Causes of a suppression from the weakest to the strongest: a person's own wish outlives whatever else is said.
CAUSES = ("operator", "bounced", "wrong_person", "not_interested", "unsubscribed", "erased")


@dataclass(frozen=True)
class Effect:
    """An effect says what follows from one kind of event; one that is empty is noted and nothing else.

    `marks` are columns of the lead, `suppresses` is the cause under which its address is suppressed, `ends` says
    whether that person's open leads end in every campaign.
    """

    name: str
    marks: tuple[str, ...] = ()
    suppresses: str = ""
    ends: bool = False


NOTED = Effect("noted")
UNKNOWN = Effect("unknown")

# A mail that bounced or was answered had been sent, whether or not somebody has told us so. A label ("not interested")
# is a judgement on a reply that is told by itself.
EFFECTS = {
    "email_sent": Effect("sent", marks=("sent_at",)),
    "email_bounced": Effect("bounced", marks=("bounced_at", "sent_at"), suppresses="bounced"),
    "lead_unsubscribed": Effect("unsubscribed", marks=("unsubscribed_at",), suppresses="unsubscribed"),
    "lead_not_interested": Effect("not interested", suppresses="not_interested"),
    "lead_wrong_person": Effect("wrong person", suppresses="wrong_person"),
    "reply_received": Effect("replied", marks=("replied_at", "sent_at"), ends=True),
    **dict.fromkeys(
        (
            *("auto_reply_received", "lead_out_of_office", "email_opened", "link_clicked", "email_link_clicked"),
            *("lead_neutral", "lead_interested", "lead_meeting_booked", "lead_meeting_completed", "lead_closed"),
            *("account_error", "campaign_completed"),
        ),
        NOTED,
    ),
}
SOFT = frozenset({"soft", "soft_bounce", "temporary", "transient"})


def effect_of(kind: str, bounce_type: str = "") -> Effect:
    """Return what follows from an event; a name that we do not know is UNKNOWN, and nothing follows.

    Instantly documents one kind of bounce and no word on how hard it is, so each is taken for a hard one: to write
    again to an address that refuses costs the sender more than to leave one out. If a payload has a `bounce_type`
    that says that it was a soft one, nothing follows from it: the vendor tries again.
    """
    if kind == "email_bounced" and bounce_type.strip().lower() in SOFT:
        return NOTED
    return EFFECTS.get(kind, UNKNOWN)


def outcome_of(instants: Mapping[str, object]) -> str:
    """Return the outcome that is shown beside a lead's state; `instants` are Lead's columns. '' when nothing came."""
    return next((outcome for outcome, column in STRONGEST_FIRST if instants.get(column)), "")


def is_stronger(cause: str, other: str) -> bool:
    """Say whether a suppression for `cause` outweighs one for `other`; a cause that we do not know is the weakest."""
    return _strength(cause) > _strength(other)


def _strength(cause: str) -> int:
    return CAUSES.index(cause) if cause in CAUSES else -1
