"""Instantly takes leads into campaigns. It has closed request bodies, one uniform error, no rate headers, no
idempotency key.

Source: the published OpenAPI document (version 2.0.0) and the vendor's page on conventions. A bulk request asks the
workspace's block list also when it names none. Undocumented, decided here: creating one lead with a skip flag that
fires returns the lead that is there, without a flag it is added a second time, and the block list is not asked for it;
in a plan that is used up a bulk request adds nobody and counts them nowhere.
"""

from dataclasses import replace
from typing import ClassVar

from integrations.sandbox.exchange import Answer, Request, Unreadable
from integrations.sandbox.instantly import pages
from integrations.sandbox.instantly import shapes as bodies
from integrations.sandbox.instantly.answers import DEFAULT_LIMIT, MAX_LIMIT, error, found, not_found
from integrations.sandbox.instantly.blocklist import BlockList
from integrations.sandbox.instantly.campaigns import Campaigns
from integrations.sandbox.instantly.desk import Desk, Verbs
from integrations.sandbox.instantly.filters import filter_of
from integrations.sandbox.instantly.mailing import Life, Mailing
from integrations.sandbox.instantly.webhooks import Webhooks
from integrations.sandbox.instantly.workspace import Item, Workspace
from integrations.sandbox.vendor import Failing, Route, Vendor, always, judge

# Leads at this domain are what any blocklist holds that a request names.
BLOCKED_DOMAIN = "blocked.example"


class Instantly(Vendor):
    """Charges plan quota, a unit a lead. A call whose answer never leaves has added its lead all the same."""

    name: ClassVar[str] = "instantly"
    prefix: ClassVar[str] = "/instantly"
    bills_unheard: ClassVar[bool] = True

    def __init__(self) -> None:
        self.workspace = Workspace()
        self.block_list = BlockList()
        self.webhooks = Webhooks()
        self.mailing = Mailing(self.workspace, self.webhooks)
        self.campaigns = Campaigns(self.workspace)
        self.desk = Desk(self.workspace, self.webhooks, self.mailing, self.campaigns.codes)
        self.routes = [
            Route("POST", "/api/v2/leads", self.create_lead, paid=True, keys=_addresses),
            Route("POST", "/api/v2/leads/add", self.add_leads, paid=True, keys=_addresses),
            Route("POST", "/api/v2/leads/list", self.list_leads, keys=_searched, asks=_by_filter),
            Route("GET", "/api/v2/leads/{id}", lambda request: found(self.workspace.lead(request.last))),
            Route("DELETE", "/api/v2/leads", self.delete_leads),
            *self.campaigns.routes,
            *(replace(route, asks=always) for route in (*self.block_list.routes, *self.webhooks.routes)),
        ]

    # --- leads --------------------------------------------------------------------------------------------------------

    def create_lead(self, request: Request) -> Answer:
        body = request.json()
        bodies.check_lead(body, bodies.SINGLE_LEAD, "body")
        container = str(body.get("campaign") or body.get("list_id") or "")
        if body.get("campaign") and not self.workspace.campaign(container):
            return error(404, "Campaign not found")
        email = str(body.get("email") or "")
        with self.workspace.locked():
            # Here, other than in bulk, skip_if_in_campaign means this campaign.
            there = self.workspace.member(container, email)
            if there and any(body.get(f"skip_if_in_{where}") for where in ("workspace", "campaign", "list")):
                return Answer.json(200, there)
            lead = self.workspace.add(container, body, is_list=not body.get("campaign"))
        self.mailing.pushed(container, [lead])
        answer = Answer.json(200, lead)
        answer.charges = {email.lower(): 1}
        return answer

    def add_leads(self, request: Request) -> Answer:
        body = request.json()
        leads = bodies.check_bulk(body)
        campaign, leads_list = str(body.get("campaign_id") or ""), str(body.get("list_id") or "")
        if campaign and not self.workspace.campaign(campaign):
            return error(404, "Campaign not found")
        summary = _summary(len(leads))
        created: list[Item] = []
        added: list[Item] = []
        with self.workspace.locked():
            earlier: set[str] = set()
            for index, lead in enumerate(leads):
                email = str(lead.get("email") or "").strip().lower()
                if counter := self._obstacle(body, lead, email, earlier):
                    summary[counter] += 1
                    continue
                earlier.add(email)
                if campaign and not self.workspace.remaining:
                    continue
                new = self.workspace.add(campaign or leads_list, lead, is_list=not campaign)
                added.append(new)
                shown: Item = {name: new[name] for name in ("email", "first_name", "last_name", "phone") if name in new}
                created.append({"index": index, "id": new["id"], **shown})
            remaining = self.workspace.remaining
        if campaign:
            self.mailing.pushed(campaign, added)
        answer = Answer.json(
            200,
            {
                "status": "success",
                **summary,
                "leads_uploaded": len(created),
                "blocklist_used": body.get("blocklist_id"),
                "remaining_in_plan": remaining if campaign else None,
                "created_leads": created,
            },
        )
        answer.charges = {str(lead["email"]).strip().lower(): 1 for lead in created if lead.get("email")}
        return answer

    def _obstacle(self, body: Item, lead: Item, email: str, earlier: set[str]) -> str | None:
        """Say why a lead of a bulk request is not added, as the counter that reports it; None when it is."""
        is_list = bool(body.get("list_id"))
        container = str(body.get("list_id") if is_list else body.get("campaign_id"))
        if not email:
            named = lead.get("first_name") or lead.get("last_name")
            return None if is_list and named else "incomplete_count" if is_list else "invalid_email_count"
        if not bodies.EMAIL.fullmatch(email):
            return "invalid_email_count"
        if email in earlier:
            return "duplicate_email_count"
        named = body.get("blocklist_id") and email.endswith(f"@{BLOCKED_DOMAIN}")
        if named or self.block_list.blocks(email):
            return "in_blocklist"
        if self.workspace.member(container, email):
            return "duplicated_leads"
        # In bulk, skip_if_in_campaign means any campaign of the workspace.
        kinds = {"workspace": "", "campaign": "campaign", "list": "list_id"}
        asked = [kind for where, kind in kinds.items() if body.get(f"skip_if_in_{where}")]
        return "skipped_count" if any(self.workspace.anywhere(email, kind) for kind in asked) else None

    def list_leads(self, request: Request) -> Answer:
        body = request.json()
        bodies.closed(body, bodies.LIST)
        limit = body.get("limit", DEFAULT_LIMIT)
        if not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
            raise Unreadable(f"body/limit must be integer between 1 and {MAX_LIMIT}")
        passes = filter_of(body)
        leads = [lead for lead in self.workspace.leads() if pages.wanted(lead, body) and passes(lead)]
        return Answer.json(200, pages.page(leads, limit, str(body.get("starting_after") or "")))

    def delete_leads(self, request: Request) -> Answer:
        body = request.json()
        container = str(body.get("campaign_id") or body.get("list_id") or "")
        if not container:
            raise Unreadable("body must have required property 'campaign_id'")
        ids, status, limit = body.get("ids"), body.get("status"), body.get("limit")
        gone = [
            lead
            for lead in self.workspace.leads()
            if container in (lead.get("campaign"), lead.get("list_id"))
            and (not isinstance(ids, list) or lead["id"] in ids)
            and status in (None, lead["status"])
        ][: limit if isinstance(limit, int) else None]
        self.workspace.remove(gone)
        return Answer.json(200, {"count": len(gone)})

    # --- refusals and faults ------------------------------------------------------------------------------------------

    def refuse(self, request: Request, _: Route | None) -> Answer | None:
        """Refuse a wrong key: what a missing scope answers is undocumented; 403 is declared on other calls."""
        credential = judge(request.bearer())
        if credential == "missing":
            return error(401, "Missing Authorization header")
        if credential == "bad":
            return error(401, "Invalid API key")
        return error(403, "API key does not have the required scope") if credential == "unscoped" else None

    def not_found(self, _: Request) -> Answer:
        return not_found()

    def unreadable(self, reason: str) -> Answer:
        return error(400, reason)

    def dress(self, answer: Answer, _: Request) -> Answer:
        """Add nothing: no rate headers, no Retry-After."""
        return answer

    def server_error(self, _: Failing) -> Answer:
        return error(500, "Internal Server Error")

    def rate_limit(self, _: Failing) -> Answer:
        return error(429, "Rate limit exceeded")

    def quota_exhausted(self, _: Failing) -> Answer:
        """A workspace without a plan refuses every call, the probe included."""
        return error(402, "Workspace does not have an active paid plan")

    def bad_key(self, _: Failing) -> Answer:
        return error(401, "Invalid API key")

    def html(self, _: Failing) -> Answer:
        """Answer as the edge in front, which refuses clients that it takes for robots."""
        return Answer.html(403, "Access denied | error code: 1010", cf_ray="8a1b2c3d4e5f6073-FRA")

    def silent(self, failing: Failing) -> Answer | None:
        """Answer a bulk add with success, nobody uploaded, and no counter that says why. Other calls cannot fail like
        that."""
        if failing.route.path != "/api/v2/leads/add":
            return None
        sent = bodies.check_bulk(failing.request.json())
        value: Item = {
            "status": "success",
            **_summary(len(sent)),
            "leads_uploaded": 0,
            "blocklist_used": None,
            "remaining_in_plan": self.workspace.remaining,
            "created_leads": [],
        }
        return Answer.json(200, value)

    def forget(self) -> None:
        self.workspace.forget()
        self.block_list.forget()
        self.webhooks.forget()
        self.mailing.live(Life())
        self.campaigns.codes.clear()

    def controls(self) -> dict[str, Verbs]:
        return self.desk.controls

    def stop(self) -> None:
        self.webhooks.deliveries.stop()

    def bill(self) -> dict[str, object]:
        """Say how often each address was truly added to each campaign, and those that were added twice."""
        pushes: dict[str, dict[str, int]] = {}
        for (campaign, email), times in sorted(self.workspace.pushes.items()):
            pushes.setdefault(campaign, {})[email] = times
        twice = {
            campaign: {email: times for email, times in addresses.items() if times > 1}
            for campaign, addresses in pushes.items()
        }
        return {
            "pushes": pushes,
            "added_more_than_once": {campaign: addresses for campaign, addresses in twice.items() if addresses},
        }


def _summary(sent: int) -> dict[str, int]:
    counters = "in_blocklist duplicated_leads skipped_count invalid_email_count incomplete_count duplicate_email_count"
    return {"total_sent": sent, **dict.fromkeys(counters.split(), 0)}


def _addresses(request: Request) -> list[str]:
    body = request.json()
    leads = body.get("leads", [body])
    emails = (
        [str(lead.get("email") or "").strip().lower() for lead in leads or () if isinstance(lead, dict)]
        if (isinstance(leads, list))
        else []
    )
    return [email for email in emails if email]


def _by_filter(request: Request) -> bool:
    """Say whether the listing asks what became of leads: a job looks for one lead, by its address."""
    return "filter" in request.json()


def _searched(request: Request) -> list[str]:
    body = request.json()
    contacts = body.get("contacts")
    return [str(email).lower() for email in contacts] if isinstance(contacts, list) else [str(body.get("search") or "")]
