"""The API's views of the queue show status, plan, paused jobs and campaigns, resume it and lift operators' pauses."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.breaker_serializers import Lifted, PauseRequest, PlannedPause, Reason, Reminder, ServiceLimits
from api.breakers import report
from api.campaign_serializers import JobSerializer
from api.frame.errors import failure
from api.frame.views import ApiView, Listing
from api.ramps import RampStatus
from campaigns import overview, recovery, resume_plan
from campaigns.models import Campaign, Job
from campaigns.permissions import VIEW_CAMPAIGN, VIEW_JOB
from circuitbreakers import pauses, switch
from circuitbreakers.confirmations import SecondPersonNeeded
from circuitbreakers.permissions import OPERATE_QUEUE, VIEW_BREAKER
from circuitbreakers.services import SERVICES, validate

# Campaigns named of each status; the counts are of all.
NAMED = 500
NAMED_BY = ("id", "name", "status", "status_message", "target_halt", "budget_halt", "first_leads")
# What is not over, and what went wrong; what ended as somebody wished is in the list of campaigns.
WITH_REASONS = (Campaign.Status.CREATED, Campaign.Status.RUNNING, Campaign.Status.PAUSED, Campaign.Status.FAILED)


# These serializers only describe: campaigns/overview.py and campaigns/recovery.py make the bodies, for the
# commands as well. tests/api/test_bodies.py holds the two equal.


class LastProbe(serializers.Serializer):
    at = serializers.DateTimeField()
    ok = serializers.BooleanField()
    detail = serializers.CharField(allow_blank=True)
    proves = serializers.CharField(allow_blank=True)


class BreakerStatus(serializers.Serializer):
    circuit_state = serializers.ChoiceField(choices=["closed", "open", "half_open", "lost"])
    held = serializers.BooleanField()
    hold_reason = serializers.CharField(allow_blank=True)
    queue_paused = serializers.BooleanField()
    failure_count = serializers.IntegerField()
    failure_threshold = serializers.IntegerField()
    opened_at = serializers.DateTimeField(allow_null=True)
    open_until = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    last_error = serializers.CharField(allow_blank=True)
    waits_until = serializers.DateTimeField(
        allow_null=True, help_text="The vendor asked us to wait (429, Retry-After); lift-wait ends it."
    )
    limits = ServiceLimits()
    ramp = RampStatus(
        allow_null=True, help_text="On its way back after a queue resume; null: at full speed, or paused."
    )
    last_probe = LastProbe(allow_null=True)


class Breakers(serializers.Serializer):
    mode = serializers.ChoiceField(choices=["sandbox", "live"])
    timestamp = serializers.DateTimeField()
    circuit_breakers = serializers.DictField(child=BreakerStatus(), help_text="By service.")


class StandingPause(serializers.Serializer):
    key = serializers.CharField(help_text="system, operator:all or operator:{service}")
    reason = serializers.CharField()
    actor = serializers.CharField()
    since = serializers.DateTimeField()


class QueueStatus(Breakers):
    queue = serializers.DictField(child=serializers.ChoiceField(choices=["ACTIVE", "PAUSED"]))
    pauses = StandingPause(many=True)
    planned_pauses = PlannedPause(many=True, help_text="The next ones, at most 20.")
    reminders = Reminder(many=True)
    resume_plan = serializers.CharField(
        allow_blank=True, help_text="What a resume would bring back or lacks, when a reminder is due."
    )
    stopped_resumes = serializers.ListField(
        child=serializers.CharField(),
        help_text="Where the last resume was stopped, while the system is paused by that.",
    )
    campaigns = serializers.DictField(child=serializers.IntegerField(), help_text="By status.")
    halted_campaigns = serializers.IntegerField(help_text="Campaigns whose target at Instantly does not send.")
    held_campaigns = serializers.IntegerField(help_text="Unfinished campaigns whose budget is used up.")
    held_services = serializers.DictField(
        child=serializers.CharField(), help_text="Service -> why its work waits for a budget."
    )
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="By status.")
    paused_jobs = serializers.DictField(child=serializers.IntegerField(), help_text="By service.")


class OutlookOfService(serializers.Serializer):
    sentence = serializers.CharField()
    asked_at = serializers.DateTimeField(allow_null=True, help_text="Null: not asked yet.")
    readable = serializers.BooleanField(help_text="Whether the service answered the last time.")
    ends_at = serializers.DateTimeField(allow_null=True, help_text="When credits, plan or model end, as far as known.")
    hours = serializers.IntegerField(allow_null=True, help_text="Up to then.")
    leads = serializers.IntegerField(allow_null=True, help_text="What is left is enough for so many, at their yield.")
    alarming = serializers.BooleanField(help_text="It ends within a week.")


class Outlook(serializers.Serializer):
    services = serializers.DictField(child=OutlookOfService(), help_text="By service.")
    prices = serializers.CharField(help_text="How old the prices are that costs are reckoned with.")


class PlanItem(serializers.Serializer):
    name = serializers.CharField()
    ok = serializers.BooleanField()
    detail = serializers.CharField()
    mend = serializers.CharField(allow_blank=True, help_text="How to make it so.")


class ResumePlan(serializers.Serializer):
    ready = serializers.BooleanField()
    prerequisites = PlanItem(many=True)
    campaigns = serializers.IntegerField()
    jobs = serializers.IntegerField()
    jobs_by_service = serializers.DictField(child=serializers.IntegerField())
    services_still_paused = serializers.ListField(child=serializers.CharField())
    campaigns_still_paused = serializers.IntegerField()
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="What will not last for all that resumes; they refuse nothing."
    )


class ResumeRequest(Reason):
    canary = serializers.ChoiceField(
        choices=["opened", "all"], default="opened", help_text="Which services begin with a canary."
    )
    all_at_once = serializers.BooleanField(default=False, help_text="No canary and no steps; needs a reason.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["all_at_once"] and not attrs["reason"].strip():
            raise serializers.ValidationError({"reason": ["All at once needs a reason."]})
        return attrs


class ResumeResult(serializers.Serializer):
    queue_resumed = serializers.BooleanField()
    jobs_resumed = serializers.IntegerField()
    campaigns_eligible = serializers.IntegerField()
    campaigns_resumed = serializers.IntegerField()
    services_resumed = serializers.ListField(child=serializers.CharField())
    services_still_paused = serializers.ListField(child=serializers.CharField())
    campaigns_still_paused = serializers.IntegerField()
    prerequisites_met = serializers.CharField()
    stages = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="Service -> where it is on its way back, and what moves it on; only of those not at full speed.",
    )
    campaign_resume_errors = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only when there are any."
    )
    message = serializers.CharField()


class CampaignReason(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=Campaign.Status.choices)
    status_message = serializers.CharField(allow_blank=True)
    target_halt = serializers.CharField(allow_blank=True, help_text="Why its target at Instantly does not send.")
    budget_halt = serializers.CharField(allow_blank=True, help_text="Why it waits for its budget.")
    first_leads = serializers.IntegerField(
        allow_null=True, help_text="It holds after so many of its leads, until somebody has it go on."
    )


class CampaignStatus(serializers.Serializer):
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="By status, of all campaigns.")
    campaigns = serializers.DictField(
        child=CampaignReason(many=True),
        help_text=f"By status, the latest {NAMED} of each, with their reasons; COMPLETED and CANCELLED are left out.",
    )
    truncated = serializers.ListField(
        child=serializers.ChoiceField(choices=Campaign.Status.choices),
        help_text=f"Statuses of which there are more than {NAMED}: page through `/campaigns?status=` for all of them.",
    )


class Status(ApiView):
    """Breakers, queue, standing pauses, job and campaign counts, paused jobs by service."""

    required = {"GET": VIEW_BREAKER}
    doing = "reading queue status"

    @extend_schema(tags=["queue"], operation_id="queue_status", responses={200: QueueStatus})
    def get(self, request: Request) -> Response:
        return Response(overview.queue_status())


class CircuitBreakers(ApiView):
    """The five breakers."""

    required = {"GET": VIEW_BREAKER}
    doing = "reading circuit breakers"

    @extend_schema(tags=["circuit breakers"], operation_id="breaker_status", responses={200: Breakers})
    def get(self, request: Request) -> Response:
        snapshot = switch.read_all()
        return Response(
            {"mode": settings.MODE, "timestamp": snapshot.now, "circuit_breakers": overview.breakers(snapshot)}
        )


class OutlookView(ApiView):
    """How far each service's credits, plan or model reach, as its free calls told at most 15 minutes ago."""

    required = {"GET": VIEW_BREAKER}

    @extend_schema(tags=["queue"], operation_id="outlook", responses={200: Outlook})
    def get(self, request: Request) -> Response:
        return Response(overview.outlook())


class ResumeQueue(ApiView):
    """GET: what a resume needs and would do. POST: resume queue, campaigns that the system paused, and their jobs."""

    required = {"GET": VIEW_BREAKER, "POST": OPERATE_QUEUE}
    refusals = {recovery.ResumeRefused: 400, pauses.SwitchRefused: 409, SecondPersonNeeded: 409}
    doing = "resuming queue"
    serializer_class = ResumeRequest

    @extend_schema(tags=["queue"], operation_id="resume_plan", responses={200: ResumePlan})
    def get(self, request: Request) -> Response:
        return Response(overview.plan_as_dict(resume_plan.plan()))

    @extend_schema(
        tags=["queue"],
        operation_id="resume_queue",
        request=ResumeRequest,
        responses={200: OpenApiResponse(ResumeResult, description="Resumed; also when there was nothing to resume.")},
        examples=[
            OpenApiExample(
                "Resumed",
                {
                    "queue_resumed": True,
                    "jobs_resumed": 45,
                    "campaigns_eligible": 8,
                    "campaigns_resumed": 8,
                    "services_resumed": list(SERVICES),
                    "services_still_paused": [],
                    "campaigns_still_paused": 0,
                    "prerequisites_met": "All circuit breakers closed",
                    "message": "Queue resumed successfully: 45 jobs and 8 campaigns resumed",
                },
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def post(self, request: Request) -> Response:
        body = self.body()
        result = recovery.resume(
            actor=self.actor,
            reason=body["reason"],
            canary_for_all=body["canary"] == "all",
            all_at_once=body["all_at_once"],
        )
        if result.interrupted_by:
            return failure(409, result.message)
        return Response(result.as_dict())


class ResumeService(ApiView):
    """Lift an operator's own pause of one service's queue, or of `all`. Other pauses stay."""

    required = {"POST": OPERATE_QUEUE}
    refusals = {pauses.SwitchRefused: 409}
    doing = "resuming service"
    serializer_class = PauseRequest

    @extend_schema(tags=["queue"], operation_id="resume_service", request=PauseRequest, responses={200: Lifted})
    def post(self, request: Request) -> Response:
        body = self.body()
        service = body["service"]
        changed = pauses.lift(service, actor=self.actor, reason=body["reason"])
        did = f"The operator's pause of {service} is lifted." if changed else f"No operator's pause of {service} stood."
        still_paused = resume_plan.services_still_paused()
        return report(service, "queue_resume", changed, did, services_still_paused=still_paused)


@extend_schema_view(get=extend_schema(tags=["queue"], operation_id="paused_jobs"))
class PausedJobs(Listing):
    """The PAUSED jobs of one service."""

    required = {"GET": VIEW_JOB}
    queryset = Job.objects.all()
    serializer_class = JobSerializer

    def get_queryset(self) -> QuerySet[Job]:
        if "service" not in self.kwargs:  # while the schema is made
            return Job.objects.none()
        return Job.objects.in_status(Job.Status.PAUSED).filter(service=validate(self.kwargs["service"]))


class CampaignStatusView(ApiView):
    """Campaigns by status, with their reasons."""

    required = {"GET": VIEW_CAMPAIGN}

    @extend_schema(tags=["queue"], operation_id="campaign_status", responses={200: CampaignStatus})
    def get(self, request: Request) -> Response:
        named: dict[str, list[Any]] = {}
        for status in WITH_REASONS:
            rows = Campaign.objects.filter(status=status).order_by("-id")
            if latest := list(rows.values(*NAMED_BY)[: NAMED + 1]):
                named[status] = latest
        return Response(
            {
                "counts": overview.counts(Campaign.objects.all(), "status"),
                "campaigns": {status: latest[:NAMED] for status, latest in named.items()},
                "truncated": [status for status, latest in named.items() if len(latest) > NAMED],
            }
        )
