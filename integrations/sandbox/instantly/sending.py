"""Instantly says why a campaign does not send, and how much room the plan has.

Source: the published OpenAPI document (version 2.0.0); the sentences are ours.
"""

from integrations.sandbox.instantly.workspace import ORGANIZATION, Item, stamp

HEALTHY = "healthy"
# A campaign's statuses, each with the code that says why it does not send.
STATUSES = {
    0: "campaign_draft",
    1: HEALTHY,
    2: "campaign_paused",
    3: "campaign_completed",
    4: "campaign_running_subsequences",
    -1: "campaign_accounts_unhealthy",
    -2: "campaign_bounce_protect",
    -99: "campaign_account_suspended",
}
SENTENCES = {
    HEALTHY: "Campaign is sending normally",
    "campaign_draft": "Campaign is a draft and has not been launched",
    "campaign_paused": "Campaign is paused",
    "campaign_completed": "Campaign has been completed",
    "campaign_running_subsequences": "Campaign is running subsequences only",
    "campaign_accounts_unhealthy": "Campaign is stopped because its sending accounts are unhealthy",
    "campaign_bounce_protect": "Campaign is paused by bounce protection because too many emails bounced",
    "campaign_account_suspended": "Campaign is stopped because the account is suspended",
    "out_of_schedule": "Campaign is outside of its sending hours",
    "waiting_for_leads": "Campaign has no leads ready to be contacted",
    "daily_limit_met": "Campaign has reached its daily sending limit",
    "account_daily_limit_met": "All sending accounts have reached their daily limit",
    "new_lead_limit_met": "Campaign has reached its daily limit of new leads",
    "all_accounts_unhealthy": "All sending accounts are unhealthy",
    "waiting_for_esp_match": "Campaign waits for a sending account that matches the recipient's provider",
    "domain_limit_reached": "Campaign has reached the daily limit of emails to one company",
    "follow_up_delay_not_met": "Campaign waits until its follow-ups are due",
    "no_accounts_available": "Campaign has no sending account available",
}


def why(campaign: Item, code: str | None) -> Item:
    """Make the answer on one campaign; `code` is what somebody ordered, None for what follows from its status."""
    named = code or STATUSES[int(str(campaign["status"]))]
    since = None if named == HEALTHY else campaign["timestamp_updated"]
    return {
        "diagnostics": {
            "campaign_id": campaign["id"],
            "last_updated": stamp(),
            "status": named,
            "issue_tracking": {
                "current_status_code": named,
                "issue_first_seen_at": since,
                "consecutive_loops_with_issue": 0 if named == HEALTHY else 1,
                "last_healthy_send_at": None,
            },
        },
        "summary": {
            "status": named,
            "status_message": SENTENCES[named],
            "issue_started_at": since,
            "last_healthy_send_at": None,
            "ai_summary": None,
        },
    }


def plan(limit: int, used: int) -> Item:
    """Make the answer on the plan: how many leads it has room for, and how many count towards it."""
    outreach: Item = {
        "plan_name": "Hypergrowth",
        "addons_qty": 0,
        "total_lead_limit": limit,
        "current_lead_count": used,
        "base_lead_limit": limit,
        "interval": "month",
        "current_period_end": None,
        "cancel_at_time": None,
        "price_in_dollars": 97,
        "product_id": "pid_hg_v1",
    }
    return {
        "organization_id": ORGANIZATION,
        "organization_name": "Sandbox workspace",
        "subscriptions": {"outreach": outreach},
    }
