"""MillionVerifier gives one address one verdict. Its errors come inside HTTP 200, its key travels in the URL.

Sources: developer.millionverifier.com (API 3.1.0) and the README of the vendor's sample code; error texts from live
tests by a third party (`apikey_not_found`) and from clients. No capture of an exhausted balance was found: the text
here is the one that simulators use.
"""

from typing import ClassVar

from integrations.sandbox.exchange import Answer, Request, digest
from integrations.sandbox.millionverifier.verdicts import CHARGED, CODES, Judgement, verdict
from integrations.sandbox.vendor import Balance, Failing, Route, Vendor, judge

CREDITS = 1_000_000
DEMO = "API_KEY_FOR_"
DEMO_ERRORS = {
    "ERROR_NO_EMAIL": "No email specified",
    "ERROR_NO_APIKEY": "No apikey specified",
    "ERROR_INVALID_APIKEY": "apikey_not_found",
    "ERROR_INSUFFICIENT_CREDITS": "insufficient_credits",
    "ERROR_IP_ADDRESS_BLOCKED": "ip_address_blocked",
    "ERROR_INTERNAL_ERROR": "internal_error",
}
# The vendor's own spelling of "unknown".
DEMO_RESULTS = {
    "OK": "ok",
    "CATCH_ALL": "catch_all",
    "INVALID": "invalid",
    "UNKOWN": "unknown",
    "DISPOSABLE": "disposable",
    "UNVERIFIED": "unverified",
}


class MillionVerifier(Vendor):
    """Charges for good and bad verdicts. A verification that nobody hears of ends as `unknown`, which is free."""

    name: ClassVar[str] = "millionverifier"
    prefix: ClassVar[str] = "/millionverifier"
    bills_unheard: ClassVar[bool] = False

    def __init__(self) -> None:
        self.balance = Balance(CREDITS)
        self.routes = [
            Route("GET", "/api/v3", self.verify, paid=True, keys=_address),
            Route("GET", "/api/v3/credits", self.credits, probe=True),
        ]

    # --- calls --------------------------------------------------------------------------------------------------------

    def verify(self, request: Request) -> Answer:
        email = request.parameter("email") or ""
        key = request.parameter("api") or ""
        if key.startswith(DEMO):
            return self._demonstrate(key.removeprefix(DEMO), email)
        if not email:
            return self._error("No email specified")
        judgement = verdict(email)
        charges: dict[str, float] = {email.strip().lower(): 1} if judgement.result in CHARGED else {}
        self.balance.spend(len(charges))
        answer = Answer.json(200, self._shape(email, judgement))
        answer.charges = charges
        return answer

    def credits(self, _: Request, left: int | None = None) -> Answer:
        left = self.balance.left if left is None else left
        return Answer.json(200, {"credits": left, "bulk_credits": left, "renewing_credits": 0, "plan": 0})

    def _demonstrate(self, demo: str, email: str) -> Answer:
        """Answer the vendor's demo keys with a verdict or an error on demand, at no charge."""
        demo = demo.removeprefix("TEST_") if demo != "TEST" else demo
        if demo in DEMO_ERRORS:
            return self._error(DEMO_ERRORS[demo], email, live=False)
        if demo == "TEST":
            demo = sorted(DEMO_RESULTS)[digest("demo", email) % len(DEMO_RESULTS)]
        if demo not in DEMO_RESULTS:
            return self._error("apikey_not_found", email)
        result = DEMO_RESULTS[demo]
        quality = {"ok": "good", "invalid": "bad", "disposable": "bad"}.get(result, "risky")
        judgement = Judgement(result, result, quality, free=False, role=False, did_you_mean="")
        return Answer.json(200, self._shape(email, judgement, live=False))

    def _shape(self, email: str, judgement: Judgement, *, error: str = "", live: bool = True) -> dict[str, object]:
        return {
            "email": email,
            "quality": judgement.quality,
            "result": judgement.result,
            "resultcode": CODES.get(judgement.result, 3),
            "subresult": judgement.subresult,
            "free": judgement.free,
            "role": judgement.role,
            "didyoumean": judgement.did_you_mean,
            "credits": self.balance.left,
            "executiontime": 1 if judgement.result == "ok" else 2,
            "error": error,
            "livemode": live,
        }

    def _error(self, text: str, email: str = "", *, live: bool = True) -> Answer:
        nothing = Judgement("error", text.lower().replace(" ", "_"), "", free=False, role=False, did_you_mean="")
        return Answer.json(200, self._shape(email, nothing, error=text, live=live))

    # --- refusals and faults ------------------------------------------------------------------------------------------

    def refuse(self, request: Request, route: Route | None) -> Answer | None:
        """A garbage key answers HTTP 200 with an error text (tested live by a third party). Keys have no scopes."""
        credential = judge(request.parameter("api"))
        if credential == "missing":
            return self._refusal(route, "No apikey specified")
        return self._refusal(route, "apikey_not_found") if credential == "bad" else None

    def _refusal(self, route: Route | None, text: str) -> Answer:
        if route and route.probe:
            return Answer.json(200, {"error": text})
        return self._error(text)

    def not_found(self, _: Request) -> Answer:
        return Answer.html(404, "404 Not Found")

    def unreadable(self, _: str) -> Answer:
        """This is never needed: nothing here reads a body."""
        return self._error("internal_error")

    def dress(self, answer: Answer, _: Request) -> Answer:
        """Add nothing: no rate headers, no request id."""
        return answer

    def server_error(self, _: Failing) -> Answer:
        return Answer.text(500, "Internal Server Error")

    def rate_limit(self, _: Failing) -> Answer:
        """No 429 is documented; bursts were seen to end in a 403, without a Retry-After."""
        return Answer.text(403, "Too many requests")

    def quota_exhausted(self, failing: Failing) -> Answer:
        """The credits call still answers, with none left (tested live by a third party)."""
        if failing.route.probe:
            return self.credits(failing.request, left=0)
        return self._error("insufficient_credits", failing.request.parameter("email") or "")

    def bad_key(self, failing: Failing) -> Answer:
        return self._refusal(failing.route, "apikey_not_found")

    def html(self, _: Failing) -> Answer:
        return Answer.html(403, "403 Forbidden")

    def silent(self, failing: Failing) -> Answer:
        return self._refusal(failing.route, "internal_error")

    def forget(self) -> None:
        self.balance.refill()


def _address(request: Request) -> list[str]:
    email = (request.parameter("email") or "").strip().lower()
    return [email] if email else []
