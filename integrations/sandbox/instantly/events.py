"""An event is what happened to one lead, or to a campaign: what it changes, and what a webhook tells of it.

Source: the vendor's page on webhook events and the published OpenAPI document (version 2.0.0). Undocumented, decided
here: an automatic reply changes nothing that a listing of leads shows; a reply completes the lead; who has unsubscribed
stays so, whatever comes after.
"""

from integrations.sandbox.exchange import digest
from integrations.sandbox.instantly.filters import (
    ACTIVE,
    BOUNCED,
    COMPLETED,
    INTERESTS,
    PAUSED,
    STATUSES,
    UNSUBSCRIBED,
)
from integrations.sandbox.instantly.workspace import ORGANIZATION, Item, stamp

# What can be subscribed to, in the document's order; `all_events` and null, a label of the workspace's own, are apart.
SUBSCRIBABLE = (
    *("email_sent", "email_opened", "email_link_clicked", "reply_received", "email_bounced", "lead_unsubscribed"),
    *("campaign_completed", "account_error", "lead_neutral", "lead_interested", "lead_not_interested"),
    *("lead_meeting_booked", "lead_meeting_completed", "lead_closed", "lead_out_of_office", "lead_wrong_person"),
    *("lead_no_show", "supersearch_enrichment_completed"),
)
# Of a campaign, not of a lead.
OF_CAMPAIGN = ("campaign_completed", "account_error")
# What can be made to happen: the subscribable ones by the name that a payload has, and one that only `all_events` gets.
KINDS = (
    *(kind for kind in SUBSCRIBABLE if kind not in ("email_link_clicked", "supersearch_enrichment_completed")),
    *("link_clicked", "auto_reply_received"),
)
SUBSCRIBED_AS = {"link_clicked": "email_link_clicked"}
# What ends a lead: its status then, and the statuses that give way to it.
ENDS: dict[str, tuple[int, tuple[int, ...]]] = {
    "lead_unsubscribed": (UNSUBSCRIBED, STATUSES),
    "email_bounced": (BOUNCED, tuple(status for status in STATUSES if status != UNSUBSCRIBED)),
    "reply_received": (COMPLETED, (ACTIVE, PAUSED)),
}
ACCOUNT = "sender@sandbox.example"


def changed(kind: str, lead: Item, at: float) -> Item:
    """Return the lead as it is after the event, which happened at `at` (epoch seconds). The lead given stays as it
    is."""
    when = stamp(at)
    after: Item = {**lead, "timestamp_updated": stamp(), "timestamp_last_touch": when}
    if kind == "email_sent":
        step = digest("step", lead.get("campaign"))
        after |= {
            "timestamp_last_contact": when,
            "last_contacted_from": "campaign",
            "last_step_from": "campaign",
            "last_step_id": f"{step:032x}",
            "last_step_timestamp_executed": when,
            "status_summary": {"lastStep": {"from": "campaign", "stepID": f"{step:032x}", "timestamp_executed": when}},
        }
    elif kind == "email_opened":
        after |= {"email_open_count": _more(lead, "email_open_count"), "timestamp_last_open": when}
    elif kind == "link_clicked":
        after |= {"email_click_count": _more(lead, "email_click_count"), "timestamp_last_click": when}
    elif kind == "reply_received":
        after |= {"email_reply_count": _more(lead, "email_reply_count"), "timestamp_last_reply": when}
    elif kind == "lead_neutral":
        after.pop("lt_interest_status", None)
    elif (interest := INTERESTS.get(kind.removeprefix("lead_"))) is not None:
        after |= {"lt_interest_status": interest, "timestamp_last_interest_change": when}
    if kind in ENDS:
        status, possible = ENDS[kind]
        after["status"] = status if lead["status"] in possible else lead["status"]
    return after


def _more(lead: Item, name: str) -> int:
    value = lead.get(name)
    return (value if isinstance(value, int) else 0) + 1


def payload(kind: str, campaign: Item, lead: Item | None, at: float) -> Item:
    """Make what a webhook delivers. A lead's own variables stand beside the fields and hide none of them."""
    body: Item = {
        "timestamp": stamp(at),
        "event_type": kind,
        "workspace": ORGANIZATION,
        "campaign_id": campaign["id"],
        "campaign_name": campaign["name"],
        "email_account": ACCOUNT,
    }
    if lead is None:
        return body
    own = lead["payload"] if isinstance(lead["payload"], dict) else {}
    subject, text = (str(own.get(name) or f"The {name}") for name in ("subject", "body"))
    body |= {"lead_email": lead["email"], "step": 1, "variant": 1, "is_first": kind == "email_sent"}
    body["unibox_url"] = f"https://app.instantly.example/app/unibox?thread={digest('thread', lead['id']):032x}"
    if kind.startswith(("email_", "reply_", "auto_reply_", "link_")):
        body |= {"email_id": f"{digest('mail', lead['id'], kind):032x}", "email_subject": subject}
    if kind in ("email_sent", "email_bounced"):
        body |= {"email_text": text, "email_html": f"<div>{text}</div>"}
    if kind in ("reply_received", "auto_reply_received"):
        said = "I am away until Monday." if kind == "auto_reply_received" else "Tell me more."
        body |= {"reply_text_snippet": said, "reply_subject": f"Re: {subject}", "reply_text": said}
        body["reply_html"] = f"<div>{said}</div>"
    return {**own, **body}
