"""Instantly delivers events to webhooks from a thread of its own, so that no answer waits for a receiver.

Source: the vendor's page on webhook events, and reports of its retries: three tries within 30 seconds, then the
subscription is disabled until somebody resumes it. What was to be delivered meanwhile is lost. Undocumented, decided
here: no answer within five seconds is a failure, as is a redirect; a new connection is made for each try.
"""

import heapq
import itertools
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from integrations.sandbox.instantly.workspace import ORGANIZATION, Item, stamp
from integrations.sandbox.loopback import is_loopback

ACTIVE, DISABLED = 1, -1
TRIES = 3
RETRY_SECONDS = 10.0
TIMEOUT_SECONDS = 5.0
KEPT = 50_000  # tries that are remembered
STOPPING = 1.0  # seconds that the end waits for a delivery under way


@dataclass(slots=True)
class Delivery:
    """A delivery is one payload on its way to one subscription; `tries` have failed so far."""

    hook: Item
    body: Item
    group: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome is what a receiver did: its status, None without an answer; `error` says why it failed, or is ""."""

    status: int | None
    error: str
    milliseconds: int

    @property
    def success(self) -> bool:
        return not self.error


def post(hook: Item, body: Item, timeout: float) -> Outcome:
    """Deliver once, to this machine only. Never raises."""
    started = time.monotonic()

    def outcome(status: int | None, error: str) -> Outcome:
        return Outcome(status, error, round((time.monotonic() - started) * 1000))

    own = hook["headers"] if isinstance(hook["headers"], dict) else {}
    headers = {"Content-Type": "application/json", "Connection": "close", **own}
    url = str(hook["target_hook_url"])
    try:
        if not is_loopback(urlsplit(url).hostname or ""):
            return outcome(None, "The sandbox calls nobody but this machine")
        with requests.Session() as session:
            session.trust_env = False  # no proxy between two servers on one machine
            response = session.post(
                url, data=json.dumps(body).encode(), headers=headers, timeout=timeout, allow_redirects=False
            )
    except requests.exceptions.Timeout:
        return outcome(None, "Connection timeout")
    except (requests.exceptions.RequestException, ValueError) as failure:
        return outcome(None, f"Connection failed ({type(failure).__name__})")
    return outcome(response.status_code, "" if response.ok and not response.is_redirect else "Not accepted")


class Deliveries:
    """Deliveries wait for their time and go out one after another. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.forget()

    def forget(self) -> None:
        """Drop what waits and what was tried. A delivery under way arrives, and nothing is noted of it."""
        with self._changed:
            self._waiting: list[tuple[float, int, Delivery]] = []
            self._under_way = 0
            self._tries: deque[Item] = deque(maxlen=KEPT)
            self.retry_seconds = RETRY_SECONDS
            self.timeout_seconds = TIMEOUT_SECONDS

    def add(self, due: Iterable[tuple[Item, Item]], delay: float = 0.0) -> int:
        """Deliver these payloads to their subscriptions in this order, `delay` seconds from now. Return how many."""
        with self._changed:
            before = len(self._waiting)
            for hook, body in due:
                self._wait(Delivery(hook, body, str(uuid.uuid4())), delay)
            if self._thread is None and self._waiting and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return len(self._waiting) - before

    def tries(self) -> list[Item]:
        """List the tries, oldest first, as webhook events."""
        with self._changed:
            return list(self._tries)

    @property
    def waiting(self) -> int:
        """Count the deliveries that wait, for their time or for a retry, or are under way."""
        with self._changed:
            return len(self._waiting) + self._under_way

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(STOPPING)

    def _wait(self, delivery: Delivery, delay: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._order), delivery))

    def _run(self) -> None:
        while (delivery := self._next()) is not None:
            # One that was disabled or deleted meanwhile gets nothing more.
            if delivery.hook["status"] == ACTIVE:
                began = self._tries
                outcome = post(delivery.hook, delivery.body, self.timeout_seconds)
                with self._changed:
                    if began is self._tries:
                        self._note(delivery, outcome)
            with self._changed:
                self._under_way = 0

    def _next(self) -> Delivery | None:
        """Wait for the next delivery that is due; None at the end."""
        with self._changed:
            while not self._stopping:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    self._under_way = 1
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
        return None

    def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        delivery.tries += 1
        again = not outcome.success and delivery.tries < TRIES
        now = time.time()
        self._tries.append(
            {
                "id": str(uuid.uuid4()),
                "timestamp_created": stamp(now),
                "timestamp_created_date": stamp(now)[:10],
                "organization_id": ORGANIZATION,
                "payload": delivery.body,
                "success": outcome.success,
                "retry_count": delivery.tries - 1,
                "will_retry": again,
                "webhook_url": delivery.hook["target_hook_url"],
                "status_code": outcome.status,
                "error_message": outcome.error or None,
                "timestamp_next_retry": stamp(now + self.retry_seconds) if again else None,
                "retry_group_id": delivery.group,
                "retry_successful": outcome.success if delivery.tries > 1 else None,
                "lead_email": delivery.body.get("lead_email"),
                "response_time_ms": outcome.milliseconds,
            }
        )
        if again:
            self._wait(delivery, self.retry_seconds)
        elif not outcome.success:
            delivery.hook |= {"status": DISABLED, "timestamp_error": stamp(now)}
