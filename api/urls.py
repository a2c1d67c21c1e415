"""The API's paths below /api/v1 are those of docs/contract.md#http: without a slash at the end."""

from django.urls import path, re_path

from api import (
    breakers,
    budgets,
    campaign_numbers,
    campaigns,
    confirmations,
    contact_policy,
    docs,
    first_leads,
    health,
    incidents,
    limits,
    lists,
    notifications,
    planned_pauses,
    queue,
    ramps,
    suppressions,
    tokens,
)
from api import spend as spending
from api.frame.not_found import NotFoundView

app_name = "api"

QUEUE = "queue-management"
BREAKER = f"{QUEUE}/circuit-breakers/<str:service>"

urlpatterns = [
    path("auth/token", tokens.TokenView.as_view(), name="token"),
    path("auth/tokens", tokens.Tokens.as_view(), name="tokens"),
    path("auth/tokens/<str:token_key>", tokens.TokenOne.as_view(), name="token-one"),
    path("health/live", health.LiveView.as_view(), name="live"),
    path("health/ready", health.ReadyView.as_view(), name="ready"),
    path("schema", docs.DocumentView.as_view(), name="schema"),
    path("docs", docs.DocsView.as_view(), name="docs"),
    path(f"{QUEUE}/status", queue.Status.as_view(), name="queue-status"),
    path(f"{QUEUE}/outlook", queue.OutlookView.as_view(), name="outlook"),
    path(f"{QUEUE}/circuit-breakers", queue.CircuitBreakers.as_view(), name="circuit-breakers"),
    path(f"{BREAKER}/reset", breakers.Reset.as_view(), name="reset"),
    path(f"{BREAKER}/probe", breakers.Probe.as_view(), name="probe"),
    path(f"{BREAKER}/hold", breakers.Hold.as_view(), name="hold"),
    path(f"{BREAKER}/release", breakers.Release.as_view(), name="release"),
    path(f"{BREAKER}/lift-wait", breakers.LiftWait.as_view(), name="lift-wait"),
    path(f"{BREAKER}/ramp", ramps.RampView.as_view(), name="ramp"),
    path(f"{BREAKER}/try-one", ramps.TryOne.as_view(), name="try-one"),
    path(f"{BREAKER}/limits", limits.Limits.as_view(), name="limits"),
    path(f"{BREAKER}/slow", limits.Slow.as_view(), name="slow"),
    path(f"{BREAKER}/full-speed", limits.FullSpeed.as_view(), name="full-speed"),
    path(f"{QUEUE}/resume-queue", queue.ResumeQueue.as_view(), name="resume-queue"),
    path(f"{QUEUE}/pause-service", breakers.PauseService.as_view(), name="pause-service"),
    path(f"{QUEUE}/planned-pauses", planned_pauses.PlannedPauses.as_view(), name="planned-pauses"),
    path(
        f"{QUEUE}/planned-pauses/<int:pk>/cancel", planned_pauses.CancelPlanned.as_view(), name="cancel-planned-pause"
    ),
    path(f"{QUEUE}/resume-service", queue.ResumeService.as_view(), name="resume-service"),
    path(f"{QUEUE}/paused-jobs/<str:service>", queue.PausedJobs.as_view(), name="paused-jobs"),
    path(f"{QUEUE}/campaign-status", queue.CampaignStatusView.as_view(), name="campaign-status"),
    path(f"{QUEUE}/confirmations", confirmations.Confirmations.as_view(), name="confirmations"),
    path(f"{QUEUE}/confirmations/<int:pk>/confirm", confirmations.Confirm.as_view(), name="confirm"),
    path(f"{QUEUE}/confirmations/<int:pk>/decline", confirmations.Decline.as_view(), name="decline"),
    path("incidents", breakers.Incidents.as_view(), name="incidents"),
    path("incidents/<int:pk>", breakers.IncidentView.as_view(), name="incident"),
    path("incidents/<int:pk>/acknowledge", incidents.Acknowledge.as_view(), name="incident-acknowledge"),
    path("incidents/<int:pk>/assign", incidents.Assign.as_view(), name="incident-assign"),
    path("incidents/<int:pk>/note", incidents.Note.as_view(), name="incident-note"),
    path("channels", notifications.Channels.as_view(), name="channels"),
    path("channels/<int:pk>/test", notifications.TestChannel.as_view(), name="channel-test"),
    path("deliveries", notifications.Deliveries.as_view(), name="deliveries"),
    path("deliveries/<int:pk>/replay", notifications.Replay.as_view(), name="delivery-replay"),
    path("budgets", budgets.Budgets.as_view(), name="budgets"),
    path("budgets/remove", budgets.RemoveBudget.as_view(), name="budget-remove"),
    path("events", breakers.Events.as_view(), name="events"),
    path("campaigns", campaigns.Campaigns.as_view(), name="campaigns"),
    path("campaigns/<int:pk>", campaigns.CampaignView.as_view(), name="campaign"),
    path("campaigns/<int:pk>/start", first_leads.Start.as_view(), name="campaign-start"),
    path("campaigns/<int:pk>/go-on", first_leads.GoOn.as_view(), name="campaign-go-on"),
    path("campaigns/<int:pk>/pause", campaigns.Pause.as_view(), name="campaign-pause"),
    path("campaigns/<int:pk>/resume", campaigns.Resume.as_view(), name="campaign-resume"),
    path("campaigns/<int:pk>/cancel", campaigns.Cancel.as_view(), name="campaign-cancel"),
    path("campaigns/<int:pk>/check-target", campaigns.CheckTarget.as_view(), name="campaign-check-target"),
    path("campaigns/<int:pk>/retry-failed", campaigns.RetryFailed.as_view(), name="campaign-retry-failed"),
    path(
        "campaigns/<int:pk>/contact-policy", contact_policy.ContactPolicyView.as_view(), name="campaign-contact-policy"
    ),
    path("campaigns/<int:pk>/leads", campaigns.CampaignLeads.as_view(), name="campaign-leads"),
    path("campaigns/<int:pk>/progress", campaign_numbers.ProgressView.as_view(), name="campaign-progress"),
    path("campaigns/<int:pk>/estimate", campaign_numbers.EstimateView.as_view(), name="campaign-estimate"),
    path("campaigns/<int:pk>/funnel", campaign_numbers.FunnelView.as_view(), name="campaign-funnel"),
    path("leads", lists.Leads.as_view(), name="leads"),
    path("jobs", lists.Jobs.as_view(), name="jobs"),
    path("spend", spending.SpendView.as_view(), name="spend"),
    path("vendor-calls", lists.VendorCalls.as_view(), name="vendor-calls"),
    path("suppressions", suppressions.Suppressions.as_view(), name="suppressions"),
    path("suppressions/check", suppressions.CheckSuppressions.as_view(), name="suppressions-check"),
    path("suppressions/<int:pk>/lift", suppressions.Lift.as_view(), name="suppression-lift"),
    re_path(r"^[\s\S]*$", NotFoundView.as_view(), name="not-found"),
]
