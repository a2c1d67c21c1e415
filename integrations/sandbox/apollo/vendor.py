"""Apollo: people search (free, no addresses), enrichment (a credit a person with data), profile and usage.

Sources: Apollo's published OpenAPI document; its pages on authentication, bulk enrichment and rate limits; for the body
of an exhausted balance a capture from production of September 2026, which the document does not mention.
"""

from typing import ClassVar

from integrations.sandbox.apollo import enrichment, search
from integrations.sandbox.apollo.profiles import profile, row
from integrations.sandbox.exchange import Answer, Request, digest
from integrations.sandbox.vendor import Balance, Failing, Route, Vendor, judge
from integrations.sandbox.world import people

# Most people per enrichment call; records and pages that the search will show (People API Search reference).
MAX_DETAILS, MAX_PER_PAGE, MAX_RECORDS = 10, 100, 50_000
DEFAULT_PER_PAGE = 25
CREDITS = 1_000_000

# Calls per minute, hour and day on a paid plan. An unlimited window is sent as an empty header.
ENRICHMENT_LIMITS = (1000, None, None)
SEARCH_LIMITS = (200, 6000, 50_000)
OTHER_LIMITS = (200, 600, 6000)
WINDOWS = ("minute", "hourly", "24-hour")

INVALID_KEY = "Invalid API key. See https://docs.apollo.io/reference/authentication for how to authenticate."


class Apollo(Vendor):
    """Charges for persons whose data it hands out, so for nothing that never leaves: a timed-out call is free."""

    name: ClassVar[str] = "apollo"
    prefix: ClassVar[str] = "/apollo/api/v1"
    bills_unheard: ClassVar[bool] = False

    def __init__(self) -> None:
        self.balance = Balance(CREDITS)
        self.routes = [
            Route("POST", "/mixed_people/api_search", self.api_search),
            Route("POST", "/mixed_people/search", self.retired),
            Route(
                "POST",
                "/people/match",
                self.match,
                paid=True,
                keys=lambda request: enrichment.keys([enrichment.query(request)]),
            ),
            Route(
                "POST",
                "/people/bulk_match",
                self.bulk_match,
                paid=True,
                keys=lambda request: enrichment.keys(enrichment.details(request)),
            ),
            Route("GET", "/users/api_profile", self.api_profile, probe=True),
            Route("GET", "/auth/health", self.health, probe=True),
            Route("POST", "/usage_stats/api_usage_stats", self.api_usage, probe=True),
            Route("POST", "/usage_stats/credit_usage_stats", self.credit_usage, probe=True),
        ]

    # --- calls --------------------------------------------------------------------------------------------------------

    def api_search(self, request: Request) -> Answer:
        try:
            filters = search.read(request)
            page = _positive(request.parameter("page"), 1, MAX_RECORDS // MAX_PER_PAGE)
            per_page = _positive(request.parameter("per_page"), DEFAULT_PER_PAGE, MAX_PER_PAGE)
        except search.BadFilter:
            return Answer.json(422, {"error": "Invalid parameters"})
        numbers = search.find(filters)
        shown = numbers[(page - 1) * per_page : page * per_page]
        rows = [row(people.person(number)) for number in shown]
        return Answer.json(200, {"total_entries": len(numbers), "people": rows})

    def match(self, request: Request) -> Answer:
        person = enrichment.identify(enrichment.query(request))
        charges = enrichment.charges([person])
        self.balance.spend(len(charges))
        answer = Answer.json(
            200, {"request_id": enrichment.request_id(request), "person": profile(person) if person else None}
        )
        answer.charges = charges
        return answer

    def bulk_match(self, request: Request) -> Answer:
        details = enrichment.details(request)
        if not details:
            return _failed(400, "INVALID_REQUEST", "invalid request, missing details")
        if len(details) > MAX_DETAILS:
            return _failed(400, "RECORD_LIMIT_EXCEEDED", f"cannot enrich more than {MAX_DETAILS} in a single request")
        people = [enrichment.identify(detail) for detail in details]
        charges = enrichment.charges(people)
        self.balance.spend(len(charges))
        answer = Answer.json(200, enrichment.matches(request, people, len(charges)))
        answer.charges = charges
        return answer

    def retired(self, request: Request) -> Answer:
        return _out_of_scope(request)

    def api_profile(self, request: Request, left: int | None = None) -> Answer:
        value: dict[str, object] = {
            "id": f"{digest('apollo', 'user'):032x}"[:24],
            "team_id": f"{digest('apollo', 'team'):032x}"[:24],
            "first_name": "Sandbox",
            "last_name": "Operator",
            "title": "Operator",
            "email": "operator@sandbox.example",
        }
        if (request.parameter("include_credit_usage") or "").lower() == "true":
            remaining = self.balance.left if left is None else left
            value |= {
                "num_credits_remaining": remaining,
                "effective_num_lead_credits": CREDITS,
                "num_lead_credits_used": CREDITS - remaining,
                "total_unified_credits_used": CREDITS - remaining,
            }
        return Answer.json(200, value)

    def health(self, request: Request) -> Answer:
        """Answer HTTP 200 whatever the key: only `is_logged_in` tells (seen live by a third party)."""
        good = judge(request.headers.get("x-api-key")) in ("good", "unscoped")
        return Answer.json(200, {"healthy": True, "is_logged_in": good})

    def api_usage(self, _: Request) -> Answer:
        def window(limit: int | None) -> dict[str, int | None]:
            return {"limit": limit, "consumed": 0, "left_over": limit}

        def usage(limits: tuple[int | None, ...]) -> dict[str, object]:
            return {name: window(limit) for name, limit in zip(("minute", "hour", "day"), limits, strict=True)}

        # The vendor's keys are strings that look like JSON arrays.
        return Answer.json(
            200,
            {
                '["api/v1/mixed_people", "api_search"]': usage(SEARCH_LIMITS),
                '["api/v1/people", "match"]': usage(ENRICHMENT_LIMITS),
                '["api/v1/people", "bulk_match"]': usage(ENRICHMENT_LIMITS),
            },
        )

    def credit_usage(self, _: Request, left: int | None = None) -> Answer:
        left = self.balance.left if left is None else left
        return Answer.json(
            200,
            {
                "credit_usage_stats": {
                    "lead_credit": {"limit": CREDITS, "consumed": CREDITS - left, "left_over": left}
                },
                "current_credit_cycle": {
                    "start_date": "2026-11-01T00:00:00.000Z",
                    "end_date": "2026-12-01T00:00:00.000Z",
                },
            },
        )

    # --- refusals and faults ------------------------------------------------------------------------------------------

    def refuse(self, request: Request, route: Route | None) -> Answer | None:
        if route and route.path == "/auth/health":
            return None
        credential = judge(request.headers.get("x-api-key"))
        if credential in ("missing", "bad"):
            return Answer.text(401, INVALID_KEY)
        own_profile = route is not None and route.path == "/users/api_profile"
        return _out_of_scope(request) if credential == "unscoped" and not own_profile else None

    def not_found(self, _: Request) -> Answer:
        return Answer.json(404, {"status": 404, "error": "Not Found"})

    def unreadable(self, _: str) -> Answer:
        return _failed(422, "UNKNOWN_ERROR", "no implicit conversion of Symbol into Integer")

    def dress(self, answer: Answer, request: Request) -> Answer:
        """Add rate headers under their current names; absent on 401 and 403. They state the limits, and a use of one:
        the sandbox enforces none, so that load tests may run faster than a real plan would let them."""
        if answer.status in (401, 403):
            return answer
        spent = answer.status == 429
        for window, limit in zip(WINDOWS, _limits(request.path), strict=True):
            answer.headers[f"x-rate-limit-{window}"] = "" if limit is None else str(limit)
            answer.headers[f"x-{window}-usage"] = str(limit if spent and limit else 1)
            left = "" if limit is None else str(0 if spent else limit - 1)
            answer.headers[f"x-{window}-requests-left"] = left
        return answer

    def server_error(self, _: Failing) -> Answer:
        return Answer.json(500, {"status": 500, "error": "Internal Server Error"})

    def rate_limit(self, failing: Failing) -> Answer:
        limit = next(limit for limit in _limits(failing.request.path) if limit)
        message = (
            f"The maximum number of api calls allowed for api/v1{failing.request.path} is {limit} times per minute. "
            "Please upgrade your plan from https://app.apollo.io/#/settings/plans/upgrade."
        )
        answer = Answer.json(429, {"message": message})
        if failing.setting.retry_after is not None:
            answer.headers["retry-after"] = f"{failing.setting.retry_after:g}"
        return answer

    def quota_exhausted(self, failing: Failing) -> Answer | None:
        """The free calls go on: they only say that nothing is left."""
        if failing.route.path == "/users/api_profile":
            return self.api_profile(failing.request, left=0)
        if failing.route.path == "/usage_stats/credit_usage_stats":
            return self.credit_usage(failing.request, left=0)
        return Answer.json(422, NO_CREDIT) if failing.route.paid else None

    def bad_key(self, failing: Failing) -> Answer:
        if failing.route.path == "/auth/health":
            return Answer.json(200, {"healthy": True, "is_logged_in": False})
        return Answer.text(401, INVALID_KEY)

    def html(self, _: Failing) -> Answer:
        return Answer.html(403, "Attention Required! | Cloudflare", cf_ray="8a1b2c3d4e5f6071-FRA")

    def silent(self, failing: Failing) -> Answer | None:
        """Answer with success, and nobody matched. The search and the profile have no such way to fail."""
        if failing.route.path == "/people/bulk_match" and (details := enrichment.details(failing.request)):
            return Answer.json(200, enrichment.matches(failing.request, [None] * len(details), 0))
        if failing.route.path == "/people/match":
            return Answer.json(200, {"request_id": enrichment.request_id(failing.request), "person": None})
        if failing.route.path == "/auth/health":
            return Answer.json(200, {"healthy": True, "is_logged_in": False})
        return None

    def forget(self) -> None:
        self.balance.refill()


NO_CREDIT = {
    "error": "You have insufficient credits! <a href='https://app.apollo.io/#/settings/plans/upgrade'>Upgrade</a>.",
    "error_details": {
        "code": "BILLING.LIMIT.CREDITS_EXHAUSTED",
        "message": "You have insufficient credits to perform this action.",
        "suggestions": ["Upgrade your plan", "Buy additional credits"],
        "context": {
            "credit_type": {"value": "lead credits"},
            "credit_balance": {"value": 0},
            "next_billing_date": {"value": "2026-12-01"},
        },
    },
}


def _limits(path: str) -> tuple[int | None, ...]:
    if path.startswith("/people/"):
        return ENRICHMENT_LIMITS
    return SEARCH_LIMITS if path.startswith("/mixed_people/") else OTHER_LIMITS


def _failed(status: int, code: str, message: str) -> Answer:
    return Answer.json(status, {"status": "failed", "error_code": code, "error_message": message})


def _out_of_scope(request: Request) -> Answer:
    return Answer.json(
        403,
        {
            "error": f"This API key is not authorized to access api/v1{request.path}. Request an API key from your "
            "administrator that includes this endpoint in its configured scope.",
            "error_code": "API_INACCESSIBLE",
        },
    )


def _positive(text: str | None, default: int, maximum: int) -> int:
    if text is None or text == "":
        return default
    if not text.isdecimal() or not 1 <= int(text) <= maximum:
        raise search.BadFilter(f"{text!r} is not a number from 1 to {maximum}")
    return int(text)
