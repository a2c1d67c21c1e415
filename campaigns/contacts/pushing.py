"""At its push a lead's person is asked for once more, under the lock of the contact: one statement, one transaction."""

from dataclasses import dataclass

from campaigns import statements
from campaigns.contacts.names import counted_domain, domain_of_key, keys_of, listing_keys
from campaigns.contacts.policy import domain_full, in_conversation, policy_of, written_to
from campaigns.models import JobRow, Lead

# The casts are the server's: it plans the statement once, before it has seen a value.
BEGIN = (
    "SELECT why, by_campaign, at, people FROM begin_push(%s::bigint, %s::bigint, %s::text, %s::text[], %s::text[],"
    " %s::text[], %s::boolean, %s::integer, %s::text, %s::integer, %s::integer)"
)


@dataclass(frozen=True)
class Begun:
    """This says whether the push may be made: `refused` is the reason for which its lead ends, '' if there is none.
    `busy`: another campaign's push to this person is under way; nobody knows yet."""

    refused: str = ""
    busy: bool = False


def begin(job: JobRow, lead: Lead, email: str) -> Begun:
    """Write down that this claim may push, unless the person may not be written to now. `email`: the lead's."""
    policy = policy_of(job.campaign.contact_policy)
    keys = keys_of(email, lead.apollo_id)
    domain = counted_domain(email) if policy.domain_people else ""
    parameters = [
        lead.pk,
        job.campaign_id,
        job.call,
        keys,
        list(map(domain_of_key, keys)),
        listing_keys(email),
        policy.exclusive,
        policy.cooldown_days,
        domain,
        policy.domain_people,
        policy.domain_days,
    ]
    with statements.prepared() as cursor:
        cursor.execute(BEGIN, parameters)
        row = cursor.fetchone()
    if row is None:
        return Begun()
    why, campaign, at, people = row
    sentences = {
        "suppressed": lambda: "suppressed",
        "in_conversation": lambda: in_conversation(campaign, at),
        "written_to": lambda: written_to(campaign, at),
        "domain_full": lambda: domain_full(domain, policy.domain_days, people),
    }
    return Begun(busy=True) if why == "busy" else Begun(sentences[why]())
