"""`manage.py instantly` has Instantly tell us what becomes of the leads, and says whether it still does."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from campaigns.outcome_intake import HOOK_PATH, SECRET_HEADER
from circuitbreakers import events
from circuitbreakers.commands import REFUSED, WRONG_USAGE, VerbCommand, table
from integrations import instantly_outcomes as vendor
from integrations.errors import VendorError
from integrations.results import Webhook

NAME = "Holdfast"
HIDDEN = "[secret]"


class Command(VerbCommand):
    help = "Subscribe to what Instantly tells of the leads, check the subscription, end it. Prints no secret."
    refusals = (VendorError,)

    def add_verbs(self) -> None:
        self.of_url(self.verb("subscribe", "have Instantly post every event to our webhook", changes=True))
        check = self.verb(
            "check", "is there a subscription, not disabled, and does a test arrive: 0 or 1", changes=True
        )
        check.add_argument("--resume", action="store_true", help="let one deliver again that Instantly has disabled")
        self.of_url(check)
        self.of_url(self.verb("unsubscribe", "delete our subscriptions, also those with an older path", changes=True))

    def of_url(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="", help="the address under which Instantly reaches us (default: WEB_URL)")

    def subscribe(self, options: dict[str, Any]) -> None:
        url = self.webhook_url(options)
        known = [hook for hook in ours(url) if is_at(hook, url)]
        if any(hook.disabled for hook in known):
            raise CommandError("Instantly has disabled it. Mend the cause, then: check --resume", returncode=REFUSED)
        if known:
            return self.tell(url, known, "It is subscribed already.")
        secret = settings.INSTANTLY_WEBHOOK_SECRET
        made = vendor.create_webhook(url=url, header=SECRET_HEADER, secret=secret, name=NAME)
        self.record(options, made, "subscribed")
        return self.tell(url, [made], "Subscribed to all events. See that a test arrives: check")

    def do_check(self, options: dict[str, Any]) -> None:
        url = self.webhook_url(options)
        known = [hook for hook in ours(url) if is_at(hook, url)]
        if not known:
            raise CommandError("There is no subscription to our webhook. Make one: subscribe", returncode=REFUSED)
        if options["resume"]:
            known = [self.resume(options, hook) if hook.disabled else hook for hook in known]
        disabled = [hook for hook in known if hook.disabled]
        if disabled:
            self.tell(url, known)
            since = f" since {disabled[0].disabled_at:%Y-%m-%d %H:%M:%S} UTC" if disabled[0].disabled_at else ""
            raise CommandError(
                f"Instantly has disabled it{since}: deliveries failed. Mend the cause, then: check --resume",
                returncode=REFUSED,
            )
        test = vendor.test_webhook(known[0].id)
        answer = f"we answered {test.status}" if test.status else "no answer"
        self.tell(url, known, f"A test {'arrived' if test.success else 'failed'}: {answer}.", test=asdict(test))
        if not test.success:
            raise CommandError("Instantly's test did not arrive.", returncode=REFUSED)

    def resume(self, options: dict[str, Any], hook: Webhook) -> Webhook:
        resumed = vendor.resume_webhook(hook.id)
        self.record(options, resumed, "resumed")
        return resumed

    def unsubscribe(self, options: dict[str, Any]) -> None:
        url = self.webhook_url(options)
        known = ours(url)
        for hook in known:
            vendor.delete_webhook(hook.id)
            self.record(options, hook, "unsubscribed")
        self.tell(url, [], f"Deleted: {len(known)}." if known else "There was no subscription of ours.")

    def webhook_url(self, options: dict[str, Any]) -> str:
        """Return the whole address, secret part included. CommandError if it is not configured or not fit for a
        secret."""
        if not settings.INSTANTLY_WEBHOOK_PATH:
            raise CommandError(
                "Set INSTANTLY_WEBHOOK_PATH and INSTANTLY_WEBHOOK_SECRET first, for the web processes too.",
                returncode=REFUSED,
            )
        base = (options["url"] or settings.WEB_URL).rstrip("/")
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError("--url must look like https://host.example.", returncode=WRONG_USAGE)
        if settings.MODE == "live" and parts.scheme != "https":
            raise CommandError(
                "In live mode the webhook's address must be https: it is sent a secret.", returncode=REFUSED
            )
        return f"{base}{HOOK_PATH}{settings.INSTANTLY_WEBHOOK_PATH}"

    def record(self, options: dict[str, Any], hook: Webhook, verb: str) -> None:
        events.record("webhook", hook.id[:60], verb, actor=self.actor(options), reason=options["reason"])

    def tell(self, url: str, hooks: list[Webhook], *lines: str, test: dict[str, Any] | None = None) -> None:
        shown = [
            {"id": hook.id, "event_type": hook.event_type, "disabled": hook.disabled, "disabled_at": hook.disabled_at}
            for hook in hooks
        ]
        where = f"{url.partition(HOOK_PATH)[0]}{HOOK_PATH}{HIDDEN}"
        self.show(
            {"mode": settings.MODE, "url": where, "subscriptions": shown, **({"test": test} if test else {})},
            f"Mode: {settings.MODE.upper()}",
            f"Webhook: {where}",
            table(["id", "events", "disabled", "since"], [list(row.values()) for row in shown]),
            *lines,
        )


def ours(url: str) -> list[Webhook]:
    """List the subscriptions to a webhook of this installation, also those with an earlier secret part."""
    base = url.partition(HOOK_PATH)[0] + HOOK_PATH
    return [hook for hook in vendor.list_webhooks() if hook.url.startswith(base)]


def is_at(hook: Webhook, url: str) -> bool:
    return hook.url.rstrip("/") == url
