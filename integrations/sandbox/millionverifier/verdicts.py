"""MillionVerifier's finding about an address is a function of the address and of nothing else."""

import re
from typing import NamedTuple

from integrations.sandbox.exchange import digest

# The vendor's result codes (README of its sample code).
CODES = {"ok": 1, "catch_all": 2, "unknown": 3, "error": 4, "disposable": 5, "invalid": 6}
# Good and bad verdicts cost a credit; risky ones (catch_all, unknown) are free, says the vendor's support.
CHARGED = frozenset({"ok", "disposable", "invalid"})

FREE_MAIL = frozenset({"gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "freemail.example"})
ROLES = frozenset({"admin", "billing", "contact", "hello", "info", "office", "sales", "support"})
DISPOSABLE = frozenset({"mailinator.com", "throwaway.example", "tenminutes.example"})
MISSPELT = {"gmial.com": "gmail.com", "gmal.com": "gmail.com", "yaho.com": "yahoo.com", "hotnail.com": "hotmail.com"}

# Of a hundred domains, how many accept everything; of a hundred addresses elsewhere, how many are not plainly ok.
CATCH_ALL_DOMAINS, INVALID, UNKNOWN, DISPOSED = 5, 5, 3, 1

SYNTAX = re.compile(r"[^@\s\"(),:;<>\[\\\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}")


class Judgement(NamedTuple):
    result: str
    subresult: str
    quality: str
    free: bool
    role: bool
    did_you_mean: str


def verdict(address: str) -> Judgement:
    """Return the verdict on an address, whatever its case. A plus-tag that names a result forces it:
    `ida+catch_all@...`."""
    local, _, domain = address.strip().lower().rpartition("@")
    result, subresult = _result(address.strip().lower(), local, domain)
    quality = {"ok": "good", "catch_all": "risky", "unknown": "risky"}.get(result, "bad")
    if subresult == "mailbox_full":
        # The vendor's own example pairs quality "good" with result "invalid": who goes by quality mails into the void.
        quality = "good"
    suggestion = f"{local}@{MISSPELT[domain]}" if domain in MISSPELT else ""
    return Judgement(result, subresult, quality, domain in FREE_MAIL, local in ROLES, suggestion)


def _result(address: str, local: str, domain: str) -> tuple[str, str]:
    if not SYNTAX.fullmatch(address):
        return "invalid", "invalid_syntax"
    tag = local.rpartition("+")[2] if "+" in local else ""
    if tag in CODES and tag != "error":
        return tag, {"invalid": "no_mailbox", "unknown": "connection_timeout"}.get(tag, tag)
    if domain in DISPOSABLE:
        return "disposable", "disposable"
    if domain in MISSPELT:
        return "invalid", "dns_no_mx"
    if digest("catch-all", domain) % 100 < CATCH_ALL_DOMAINS:
        return "catch_all", "catch_all"
    chance = digest("verdict", address)
    draw = chance % 100
    if draw < INVALID:
        return "invalid", ("no_mailbox", "no_mailbox", "mailbox_disabled", "mailbox_full")[chance // 100 % 4]
    if draw < INVALID + UNKNOWN:
        return "unknown", ("connection_timeout", "greylisted", "ip_blocked")[chance // 100 % 3]
    if draw < INVALID + UNKNOWN + DISPOSED:
        return "disposable", "disposable"
    return "ok", "ok"
