"""The five vendors give back typed and frozen values. Unknown fields of theirs are ignored."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Usage:
    """A usage is what one call used: the vendor's credits (fractional ones exist), tokens, and their price in USD."""

    credits: Decimal = Decimal(0)
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class RateWindow:
    """A window is one limit as the vendor's headers state it; None where they are silent.

    `per` and `reset` are seconds: the window's length, and the time until it is fresh again.
    """

    counts: Literal["requests", "tokens"]
    per: float | None
    limit: int | None
    remaining: int | None
    reset: float | None


@dataclass(frozen=True)
class RateLimits:
    """The limits are all windows that the answer's headers named."""

    windows: tuple[RateWindow, ...]

    @property
    def wait(self) -> float:
        """Return the seconds until every used-up window is fresh; a window that does not say when counts in full, 0 if
        none is."""
        return max((w.reset or w.per or 0.0 for w in self.windows if w.remaining == 0), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Result:
    """Every answer carries these for the ledger and the gate. `request_id` is "" when the vendor names none."""

    usage: Usage
    request_id: str
    http_status: int
    limits: RateLimits | None


@dataclass(frozen=True)
class FoundPerson:
    """A row of Apollo's search is useful by its `id` only, the surname is obfuscated and there is no address.

    `has_email` is False only if Apollo says that a reveal would find none.
    """

    id: str
    first_name: str
    last_name_obfuscated: str
    title: str
    company: str
    has_email: bool


@dataclass(frozen=True, kw_only=True)
class PeoplePage(Result):
    """This is one page of a search; `total` is over all pages. An empty list means that the search has ended."""

    total: int
    people: list[FoundPerson]


@dataclass(frozen=True)
class Person:
    """A revealed person's `email` is None when Apollo has none to give; other unknown fields are ""."""

    id: str
    first_name: str
    last_name: str
    name: str
    email: str | None
    email_status: str
    title: str
    headline: str
    linkedin_url: str
    company: str
    company_domain: str
    city: str
    state: str
    country: str


@dataclass(frozen=True, kw_only=True)
class Reveal(Result):
    """`matches[i]` belongs to the i-th id asked for; None where Apollo matched nobody."""

    matches: list[Person | None]


VerdictResult = Literal["ok", "catch_all", "unknown", "disposable", "invalid"]


@dataclass(frozen=True, kw_only=True)
class Verdict(Result):
    """A verdict is what MillionVerifier says of one address. `credits_left` is None when the answer did not say."""

    result: VerdictResult
    subresult: str
    did_you_mean: str
    free: bool
    role: bool
    credits_left: int | None


@dataclass(frozen=True, kw_only=True)
class Research(Result):
    """A research is Perplexity's text and the URLs that it read, in its order, each once."""

    text: str
    sources: list[str]


@dataclass(frozen=True, kw_only=True)
class Mail(Result):
    """OpenAI wrote this mail. Neither part is empty; nothing else has been checked."""

    subject: str
    body: str


PushOutcome = Literal["pushed", "duplicate", "blocked", "invalid", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Push(Result):
    """A push says what became of one lead. `duplicate` means already in this very campaign; `lead_id` is "" unless
    pushed.

    `remaining_in_plan` is None when the vendor does not say.
    """

    outcome: PushOutcome
    lead_id: str
    remaining_in_plan: int | None


@dataclass(frozen=True)
class Outlook:
    """An outlook is what free calls tell of the days ahead: `left` of the vendor's `unit` can be used yet (None: it
    does not say), and our `model`, "" without one, is shut down on the day `ends` (None: no day is announced)."""

    left: Decimal | None = None
    unit: str = ""
    model: str = ""
    ends: date | None = None


@dataclass(frozen=True)
class InstantlyCampaign:
    """A campaign's `status` is: -99 suspended, -2 bounce protect, -1 accounts unhealthy, 0 draft, 1 active, 2 paused, 3
    completed, 4 running subsequences."""

    id: str
    name: str
    status: int


WEBHOOK_DISABLED = -1


@dataclass(frozen=True)
class Webhook:
    """A subscription to Instantly's events. `status` is 1 active, -1 disabled by the vendor after failed deliveries
    (at `disabled_at`), None when it does not say; `event_type` is "" for a label of the workspace's own, `campaign` ""
    for all campaigns. The headers that it sends, secrets among them, are not kept; the URL may be a secret too, and is
    no part of the repr."""

    id: str
    url: str = field(repr=False)
    event_type: str
    status: int | None
    disabled_at: datetime | None
    campaign: str
    name: str

    @property
    def disabled(self) -> bool:
        return self.status == WEBHOOK_DISABLED


@dataclass(frozen=True)
class WebhookTest:
    """A test is one delivery that the vendor made on request. `status` is what the receiver answered, None if nothing;
    `message` are the vendor's words, without any URL."""

    success: bool
    status: int | None
    message: str


@dataclass(frozen=True)
class LeadOutcome:
    """An outcome is how far Instantly got with one lead.

    `status` is 1 active, 2 paused, 3 completed, -1 bounced, -2 unsubscribed, -3 skipped, None when it does not say;
    `interest` is None without a label, else one of `instantly_outcomes.INTERESTS` or a number of the workspace's own.
    `replies` counts replies. Instants are None where nothing happened or the vendor does not say.
    """

    id: str
    email: str
    campaign: str
    status: int | None
    interest: int | None
    replies: int
    contacted_at: datetime | None
    replied_at: datetime | None
    interest_changed_at: datetime | None
    updated_at: datetime | None

    @property
    def contacted(self) -> bool:
        return self.contacted_at is not None

    @property
    def bounced(self) -> bool:
        return self.status == -1

    @property
    def unsubscribed(self) -> bool:
        return self.status == -2

    @property
    def replied(self) -> bool:
        return self.replies > 0 or self.replied_at is not None


@dataclass(frozen=True)
class LeadPage:
    """A page of leads; `next` is the cursor of the page after it, "" at the end. A page without rows may have one."""

    rows: tuple[LeadOutcome, ...]
    next: str


@dataclass(frozen=True)
class Blocked:
    """Values were put on the block list: `created` entries came back, `valid` and `invalid` values were counted."""

    created: int
    valid: int
    invalid: int


@dataclass(frozen=True)
class SendingStatus:
    """A sending status says whether a campaign sends: `status` is as in InstantlyCampaign; `code` (`healthy`,
    `daily_limit_met`, ...) and `sentence` are the vendor's words on it, "" if it has none; `since` when it began."""

    status: int
    code: str
    sentence: str
    since: datetime | None
