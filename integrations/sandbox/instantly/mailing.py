"""Events happen to the leads, on order or as a life of their own: each changes what listings show, and goes to whoever
subscribed to it. Safe to use from many threads.

The life is off unless somebody orders it. It then writes to each lead as it is pushed, and an ordered share of them
bounces, unsubscribes, replies or is out of office: evenly spread rather than drawn, one fate a lead. It does so unless
the campaign is paused, completed or stopped; a draft counts as activated, since nobody is there to do it.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

from integrations.sandbox.instantly import events
from integrations.sandbox.instantly.webhooks import Webhooks
from integrations.sandbox.instantly.workspace import Item, Workspace

SENDING = (0, 1, 4)  # statuses of a campaign: draft, active, running subsequences
COMPLETED = 3

# The shares of a life, in the order in which they are served, and the events that each of them means after the mail.
FATES: dict[str, tuple[str, ...]] = {
    "bounced": ("email_bounced",),
    "unsubscribed": ("lead_unsubscribed",),
    "replied": ("reply_received",),
    "out_of_office": ("auto_reply_received", "lead_out_of_office"),
}


@dataclass(frozen=True, slots=True)
class Manner:
    """A manner is how events reach the subscribers: `copies` of each, in another order if `shuffle`, with a timestamp
    that lies `late_seconds` in the past, `delay_seconds` from now; not at all if `drop`."""

    copies: int = 1
    shuffle: bool = False
    late_seconds: float = 0.0
    delay_seconds: float = 0.0
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Life:
    """A life is what happens to pushed leads by itself: shares from 0 to 1, together at most 1."""

    on: bool = False
    bounced: float = 0.0
    unsubscribed: float = 0.0
    replied: float = 0.0
    out_of_office: float = 0.0
    manner: Manner = Manner()

    def as_json(self) -> dict[str, object]:
        value = asdict(self)
        return {**value, **value.pop("manner")}


class Mailing:
    def __init__(self, workspace: Workspace, webhooks: Webhooks) -> None:
        self._workspace = workspace
        self._webhooks = webhooks
        self._lock = threading.Lock()
        self.live(Life())

    def live(self, life: Life) -> None:
        """Set the life of what is pushed from now on."""
        with self._lock:
            self.life = life
            self._owed = dict.fromkeys(FATES, Fraction(0))

    def pushed(self, campaign_id: str, leads: Sequence[Item]) -> None:
        """Let the life have its way with leads that were just added to a campaign."""
        life = self.life
        campaign = self._workspace.campaign(campaign_id)
        if not life.on or campaign is None or campaign["status"] not in SENDING:
            return
        happening = [(kind, lead) for lead in leads for kind in ("email_sent", *self._fate(life))]
        self._tell(self._happen(campaign, happening, life.manner), life.manner)

    def order(self, kinds: Sequence[str], campaign_id: str, email: str, manner: Manner) -> tuple[int, int]:
        """Make events happen to every lead of a campaign ("" for all) with this address ("" for all), or to the
        campaign itself. Return how many happened and how many deliveries that makes."""
        bodies: list[Item] = []
        for campaign in self._workspace.campaigns():
            if campaign_id in ("", campaign["id"]):
                leads = self._workspace.leads_of(str(campaign["id"]), email)
                own = [kind for kind in kinds if kind in events.OF_CAMPAIGN] if campaign_id else []
                happening: list[tuple[str, Item | None]] = [
                    (kind, lead) for lead in leads for kind in kinds if kind not in events.OF_CAMPAIGN
                ]
                happening += [(kind, None) for kind in own]
                bodies += self._happen(campaign, happening, manner)
        return len(bodies), self._tell(bodies, manner)

    def _happen(self, campaign: Item, happening: Sequence[tuple[str, Item | None]], manner: Manner) -> list[Item]:
        """Change what events change, and return what is to be told of them."""
        at = time.time() - manner.late_seconds
        bodies = []
        # The lock makes of two events of one lead two changes.
        with self._workspace.locked():
            for kind, lead in happening:
                if lead is not None:
                    now = self._workspace.lead(str(lead["id"])) or lead
                    self._workspace.replace(events.changed(kind, now, at))
                elif kind == "campaign_completed":
                    self._workspace.order_status(str(campaign["id"]), COMPLETED)
                bodies.append(events.payload(kind, campaign, lead, at))
        return bodies

    def _tell(self, bodies: Sequence[Item], manner: Manner) -> int:
        """Hand events over for delivery, and return how many deliveries that makes."""
        if manner.drop:
            return 0
        return self._webhooks.publish(bodies, copies=manner.copies, shuffle=manner.shuffle, delay=manner.delay_seconds)

    def _fate(self, life: Life) -> tuple[str, ...]:
        """Serve the next lead the fate that is owed most, if a whole one is owed: of N leads share x N meet it, give or
        take one."""
        with self._lock:
            for fate in FATES:
                self._owed[fate] += Fraction(str(getattr(life, fate)))
            most = max(FATES, key=lambda fate: self._owed[fate])
            if self._owed[most] < 1:
                return ()
            self._owed[most] -= 1
            return FATES[most]
