"""Instantly's campaigns and the workspace that they are in. Creating a campaign never sends: it is a draft."""

from integrations.sandbox.exchange import Answer, Request
from integrations.sandbox.instantly import sending
from integrations.sandbox.instantly import shapes as bodies
from integrations.sandbox.instantly.answers import found, listing, not_found, owner
from integrations.sandbox.instantly.workspace import ORGANIZATION, Workspace
from integrations.sandbox.vendor import Route, always

ACTIVE, PAUSED = 1, 2
PATH = "/api/v2/campaigns"


class Campaigns:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        # Why a campaign does not send, where somebody ordered a reason.
        self.codes: dict[str, str] = {}
        self.routes = [
            Route("GET", PATH, self.list_campaigns),
            Route("POST", PATH, self.create_campaign),
            Route("GET", f"{PATH}/count-launched", self.count_launched, probe=True),
            # Asked beside the work, which only lists and makes campaigns.
            Route("GET", f"{PATH}/{{id}}", lambda request: found(self.workspace.campaign(request.last)), asks=always),
            Route("GET", f"{PATH}/{{id}}/sending-status", self.sending_status, asks=always),
            Route("POST", f"{PATH}/{{id}}/activate", lambda request: self._become(request, ACTIVE)),
            Route("POST", f"{PATH}/{{id}}/pause", lambda request: self._become(request, PAUSED)),
            Route("GET", "/api/v2/workspaces/current", self.current_workspace, probe=True),
            Route("GET", "/api/v2/workspace-billing/plan-details", self.plan_details, asks=always),
        ]

    def list_campaigns(self, request: Request) -> Answer:
        search, status = (request.parameter("search") or "").lower(), request.parameter("status")
        campaigns = [
            campaign
            for campaign in self.workspace.campaigns()
            if search in str(campaign["name"]).lower() and status in (None, str(campaign["status"]))
        ]
        return listing(campaigns, request)

    def create_campaign(self, request: Request) -> Answer:
        body = request.json()
        bodies.check_campaign(body)
        return Answer.json(200, self.workspace.create_campaign(body))

    def sending_status(self, request: Request) -> Answer:
        campaign = self.workspace.campaign(owner(request))
        return Answer.json(200, sending.why(campaign, self.codes.get(owner(request)))) if campaign else not_found()

    def _become(self, request: Request, status: int) -> Answer:
        return found(self.workspace.set_status(owner(request), status))

    def plan_details(self, _: Request) -> Answer:
        return Answer.json(200, sending.plan(self.workspace.plan, self.workspace.used))

    def count_launched(self, _: Request) -> Answer:
        return Answer.json(200, {"count": sum(campaign["status"] == ACTIVE for campaign in self.workspace.campaigns())})

    def current_workspace(self, _: Request) -> Answer:
        return Answer.json(
            200,
            {
                "id": ORGANIZATION,
                "timestamp_created": "2026-01-01T00:00:00.000Z",
                "timestamp_updated": "2026-01-01T00:00:00.000Z",
                "owner": ORGANIZATION,
                "name": "Sandbox workspace",
                "plan_id": "pid_hg_v1",
            },
        )
