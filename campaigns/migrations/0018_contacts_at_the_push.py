from django.db import migrations, models

# A push passes here once, in a transaction of its own. VOLATILE: in READ COMMITTED each statement in it sees what was
# committed before it began, that is, while it waited for the locks above it. By the indexes alone: a plan made for an
# empty table would be kept for as long as the connection.
BEGIN_PUSH = """
CREATE FUNCTION begin_push(
    of_lead bigint, of_campaign bigint, claim text, names text[], domains text[], listed text[],
    exclusive boolean, cooldown_days integer, domain text, domain_people integer, domain_days integer
) RETURNS TABLE (why text, by_campaign bigint, at timestamptz, people bigint)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
#variable_conflict use_variable
BEGIN
    -- Against suppressing, which waits for the pushes that came before it (campaigns/contacts/under_way.py).
    PERFORM pg_advisory_xact_lock_shared({suppressing});
    INSERT INTO contacts (key, domain, pushing, outcome)
        SELECT name, of_domain, '', '' FROM unnest(names, domains) AS new (name, of_domain) ORDER BY name
        ON CONFLICT DO NOTHING;
    PERFORM FROM contacts c WHERE c.key = ANY(names) ORDER BY c.key FOR NO KEY UPDATE;
    IF domain_people > 0 AND domain <> '' THEN
        PERFORM pg_advisory_xact_lock({of_domain}, hashtext(domain));
    END IF;

    IF EXISTS (SELECT FROM suppressions s WHERE s.value = ANY(listed)) THEN
        RETURN QUERY SELECT 'suppressed', NULL::bigint, NULL::timestamptz, NULL::bigint;
        RETURN;
    END IF;
    RETURN QUERY SELECT 'in_conversation', c.campaign_id, c.held_since, NULL::bigint
        FROM contacts c JOIN campaigns h ON h.id = c.campaign_id LEFT JOIN leads l ON l.id = c.lead_id
        WHERE exclusive AND c.key = ANY(names) AND c.campaign_id <> of_campaign
            AND h.status IN ('CREATED', 'RUNNING', 'PAUSED') AND (c.lead_id IS NULL OR l.state = 'OPEN')
        ORDER BY c.key LIMIT 1;
    IF FOUND THEN RETURN; END IF;
    -- Its own earlier push, that was uncertain, does not forbid that it is repeated.
    RETURN QUERY SELECT 'written_to', c.pushed_by_id, c.pushed_at, NULL::bigint FROM contacts c
        WHERE c.key = ANY(names) AND c.pushed_at > now() - make_interval(days => cooldown_days)
            AND c.pushed_by_id IS DISTINCT FROM of_campaign
        ORDER BY c.key LIMIT 1;
    IF FOUND THEN RETURN; END IF;
    -- Nobody knows yet whether another's push under way will have been one.
    RETURN QUERY SELECT 'busy', j.campaign_id, NULL::timestamptz, NULL::bigint FROM contacts c
        JOIN job_rows j ON j.id = nullif(split_part(c.pushing, ':', 1), '')::bigint
        WHERE c.key = ANY(names) AND j.status = 'PROCESSING' AND j.campaign_id <> of_campaign
            AND j.fence::text = split_part(c.pushing, ':', 2)
        LIMIT 1;
    IF FOUND THEN RETURN; END IF;
    IF domain_people > 0 AND domain <> '' THEN
        RETURN QUERY SELECT 'domain_full', NULL::bigint, NULL::timestamptz, count(*) FROM contacts c
            WHERE c.domain = begin_push.domain AND c.key <> ALL(names)
                AND (c.pushed_at > now() - make_interval(days => domain_days) OR EXISTS (
                    SELECT FROM job_rows j WHERE j.id = nullif(split_part(c.pushing, ':', 1), '')::bigint
                        AND j.status = 'PROCESSING' AND j.fence::text = split_part(c.pushing, ':', 2)))
            HAVING count(*) >= domain_people;
        IF FOUND THEN RETURN; END IF;
    END IF;

    -- A campaign that shares the person with the one that holds it leaves the holding to that one.
    UPDATE contacts SET pushing = claim,
        campaign_id = CASE WHEN ours THEN of_campaign ELSE campaign_id END,
        lead_id = CASE WHEN ours THEN of_lead ELSE lead_id END,
        held_since = CASE WHEN ours AND campaign_id IS DISTINCT FROM of_campaign THEN statement_timestamp()
            ELSE held_since END
    FROM (
        SELECT c.key AS name, c.campaign_id IS NULL OR c.campaign_id = of_campaign
            OR NOT (h.status IN ('CREATED', 'RUNNING', 'PAUSED') AND (c.lead_id IS NULL OR l.state = 'OPEN')) AS ours
        FROM contacts c LEFT JOIN campaigns h ON h.id = c.campaign_id LEFT JOIN leads l ON l.id = c.lead_id
        WHERE c.key = ANY(names)
    ) AS held WHERE contacts.key = held.name;
END $$;
"""
# Whoever was pushed, or may have been, is written down with the row that says so: a push that was never made leaves no
# trace. Both may come of one statement: the second changes nothing.
PUSHED = """
CREATE FUNCTION note_push(of_campaign bigint, address text, apollo_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM contacts c WHERE c.key IN (address, 'apollo:' || nullif(apollo_id, '')) ORDER BY c.key
        FOR NO KEY UPDATE;
    UPDATE contacts SET pushed_at = statement_timestamp(), pushed_by_id = of_campaign
    WHERE key IN (address, 'apollo:' || nullif(apollo_id, ''))
        AND (pushed_by_id IS DISTINCT FROM of_campaign OR pushed_at IS DISTINCT FROM statement_timestamp());
END $$;
CREATE FUNCTION lead_was_pushed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_push(NEW.campaign_id, NEW.email, NEW.apollo_id);
    RETURN NULL;
END $$;
CREATE TRIGGER lead_was_pushed AFTER UPDATE OF state ON leads FOR EACH ROW
    WHEN (NEW.state = 'PUSHED' AND OLD.state <> 'PUSHED') EXECUTE FUNCTION lead_was_pushed();
CREATE FUNCTION call_may_have_pushed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_push(l.campaign_id, l.email, l.apollo_id)
        FROM job_rows j JOIN leads l ON l.id = j.lead_id WHERE j.id = NEW.job_id;
    RETURN NULL;
END $$;
CREATE TRIGGER call_may_have_pushed AFTER INSERT OR UPDATE OF outcome ON vendor_calls FOR EACH ROW
    WHEN (NEW.kind = 'push' AND (NEW.outcome IN ('unknown', 'timeout', 'connection', 'server_error', 'malformed')
        OR (NEW.outcome = 'success' AND NEW.credits > 0)))
    EXECUTE FUNCTION call_may_have_pushed();
"""
GONE = """
DROP TRIGGER call_may_have_pushed ON vendor_calls;
DROP FUNCTION call_may_have_pushed();
DROP TRIGGER lead_was_pushed ON leads;
DROP FUNCTION lead_was_pushed();
DROP FUNCTION note_push(bigint, text, text);
DROP FUNCTION begin_push(
    bigint, bigint, text, text[], text[], text[], boolean, integer, text, integer, integer);
"""


class Migration(migrations.Migration):
    """A push is begun under the lock of its contact, and leaves its mark with the row that books it."""

    dependencies = [("campaigns", "0017_suppressed_at_once")]

    operations = [
        migrations.RemoveIndex("contact", "contact_domain"),
        migrations.AddIndex(
            "contact",
            models.Index(fields=["domain", "pushed_at"], condition=~models.Q(domain=""), name="contact_domain"),
        ),
        # The numbers are those of campaigns/contacts/under_way.py.
        migrations.RunSQL(
            BEGIN_PUSH.replace("{suppressing}", str(0x5117E4CE)).replace("{of_domain}", str(0xD0FA11)) + PUSHED, GONE
        ),
    ]
