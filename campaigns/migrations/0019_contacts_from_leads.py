import json

from django.db import migrations

from campaigns.contacts.names import domain_of_key, keys_of

BATCH = 5000
BATCH_OF = """
SELECT l.id, l.campaign_id, l.email, l.apollo_id, l.created_at, l.ended_at, l.state,
    c.status IN ('CREATED', 'RUNNING', 'PAUSED')
FROM leads l JOIN campaigns c ON c.id = l.campaign_id
WHERE l.id > %s AND (l.state = 'PUSHED' OR (l.state = 'OPEN' AND l.stage <> '')) ORDER BY l.id LIMIT %s
"""
# The oldest campaign holds whom several have in work; the last push is the one that counts.
KEEP = """
INSERT INTO contacts (key, domain, campaign_id, lead_id, held_since, pushed_by_id, pushed_at, pushing, outcome)
SELECT key, domain, campaign, lead, since, pushed_by, pushed, '', '' FROM json_to_recordset(%s::json) AS wanted
    (key text, domain text, campaign bigint, lead bigint, since timestamptz, pushed_by bigint, pushed timestamptz)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET (campaign_id, lead_id, held_since) = (
        SELECT campaign, lead, since FROM (VALUES
            (contacts.campaign_id, contacts.lead_id, contacts.held_since),
            (EXCLUDED.campaign_id, EXCLUDED.lead_id, EXCLUDED.held_since)) AS both_of (campaign, lead, since)
        ORDER BY campaign LIMIT 1),
    pushed_by_id = CASE WHEN EXCLUDED.pushed_at > coalesce(contacts.pushed_at, '-infinity')
        THEN EXCLUDED.pushed_by_id ELSE contacts.pushed_by_id END,
    pushed_at = greatest(contacts.pushed_at, EXCLUDED.pushed_at)
"""


def contacts_of(leads):
    """The contacts of a batch of leads by their keys, each once."""
    contacts = {}
    for lead, campaign, email, apollo_id, created, ended, state, unfinished in leads:
        for key in keys_of(email, apollo_id):
            empty = dict.fromkeys(("campaign", "lead", "since", "pushed_by", "pushed"))
            contact = contacts.setdefault(key, {"key": key, "domain": domain_of_key(key), **empty})
            if state == "PUSHED" and (contact["pushed"] is None or ended.isoformat() > contact["pushed"]):
                contact |= {"pushed_by": campaign, "pushed": ended.isoformat()}
            if state == "OPEN" and unfinished and (contact["campaign"] is None or campaign < contact["campaign"]):
                contact |= {"campaign": campaign, "lead": lead, "since": created.isoformat()}
    return list(contacts.values())


def take_over(apps, schema_editor):
    """A batch a transaction, so that nobody is locked out for long; safe to repeat."""
    after = 0
    while True:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(BATCH_OF, [after, BATCH])
            leads = cursor.fetchall()
            if not leads:
                return
            cursor.execute(KEEP, [json.dumps(contacts_of(leads))])
        after = leads[-1][0]


class Migration(migrations.Migration):
    """Whoever is in work or was pushed before there were contacts is one."""

    atomic = False
    dependencies = [("campaigns", "0018_contacts_at_the_push")]

    operations = [migrations.RunPython(take_over, migrations.RunPython.noop)]
