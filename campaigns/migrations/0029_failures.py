"""Failures are grouped by service, type and words, and counted, by the database itself."""

from importlib import import_module

from django.db import migrations, models

tallies = import_module("campaigns.migrations.0003_tallies")

KINDS = ["find", "reveal", "prepare", "verify", "research", "write", "push"]
SERVICES = ["apollo", "millionverifier", "perplexity", "openai", "instantly"]

# Immutable, so that a key means the same for ever, and in a restored copy. In this order: an address holds digits, a
# URL holds an address. Cut before, lest a page of HTML costs more than the failure; and after, for people. A quote
# without its other half goes, so that words of words are the same words.
WORDS = r"""
CREATE FUNCTION failure_words(error text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT trim(' ''' FROM left(trim(regexp_replace(
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(
                            left(coalesce(error, ''), 1000),
                            '[A-Za-z][A-Za-z0-9+.-]*://[^[:space:]"''<>]*', '<url>', 'g'
                        ),
                        '[^[:space:]"''<>(),;:=@]+@[^[:space:]"''<>(),;:=@]+', '<email>', 'g'
                    ),
                    '"[^"]*"|“[^”]*”|`[^`]*`|(?<![[:alnum:]>])''[^'']*''(?![[:alnum:]<])', '<text>', 'g'
                ),
                '["“”`]|(?<![[:alnum:]>])''|''(?![[:alnum:]<])', ' ', 'g'
            ),
            '[[:alnum:]_-]*[[:digit:]][[:alnum:]_-]*[[:alpha:]_-][[:alnum:]_-]*'
            '|[[:alpha:]_-][[:alnum:]_-]*[[:digit:]][[:alnum:]_-]*', '<id>', 'g'
        ),
        '[[:digit:]]+([.,:][[:digit:]]+)*', '<n>', 'g'
    ),
    '[[:space:]]+', ' ', 'g'
)), 200)) $$;

CREATE FUNCTION failure_key(service text, failure_type text, error text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT md5(service || E'\n' || failure_type || E'\n' || failure_words(error))::uuid $$;
"""
NO_WORDS = "DROP FUNCTION failure_key(text, text, text); DROP FUNCTION failure_words(text);"

# What the rows of `failures` should be: a trigger writes one of them, a recount all, and the books compare.
FAILED = """
CREATE VIEW failed_jobs AS
SELECT j.id AS job_id, j.campaign_id, j.kind, j.service, j.failure_type,
    failure_key(j.service, j.failure_type, j.error) AS group_key, j.completed_at AS failed_at,
    j.lead_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM leads l WHERE l.id = j.lead_id AND l.stage = j.kind AND l.state IN ('OPEN', 'FAILED')
    ) AS ended,
    paid.cost_usd, paid.may_cost_usd,
    ('x' || substr(md5(j.id || ' ' || extract(epoch FROM j.completed_at)), 1, 15))::bit(60)::bigint AS mark
FROM job_rows j CROSS JOIN LATERAL (
    SELECT coalesce(sum(v.cost_usd), 0) AS cost_usd, coalesce(sum(v.may_cost_usd), 0) AS may_cost_usd
    FROM vendor_calls v
    WHERE v.job_id = ANY (ARRAY(SELECT j.id UNION SELECT s.id FROM job_rows s WHERE s.lead_id = j.lead_id))
) paid
WHERE j.status = 'FAILED';
"""
NO_FAILED = "DROP VIEW failed_jobs;"

# By the row: WHEN is asked before anything is called, so that whatever does not fail pays little. It is read anew for
# each statement: this one takes three microseconds, with the other columns eight.
KEEP = """
CREATE FUNCTION keep_failures() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM failures;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND (OLD.status, OLD.error, OLD.failure_type, OLD.completed_at)
        IS NOT DISTINCT FROM (NEW.status, NEW.error, NEW.failure_type, NEW.completed_at) THEN
        RETURN NULL;
    END IF;
    -- A verb that moves thousands has taken theirs at once.
    IF TG_OP <> 'INSERT' AND EXISTS (SELECT FROM failures WHERE job_id = OLD.id) THEN
        DELETE FROM failures WHERE job_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO failures ({columns}) SELECT {columns} FROM failed_jobs WHERE job_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER failure_added AFTER INSERT ON job_rows FOR EACH ROW WHEN (NEW.status = 'FAILED')
    EXECUTE FUNCTION keep_failures();
CREATE TRIGGER failure_changed AFTER UPDATE ON job_rows FOR EACH ROW
    WHEN (OLD.status = 'FAILED' OR NEW.status = 'FAILED') EXECUTE FUNCTION keep_failures();
CREATE TRIGGER failure_removed AFTER DELETE ON job_rows FOR EACH ROW WHEN (OLD.status = 'FAILED')
    EXECUTE FUNCTION keep_failures();
CREATE TRIGGER failure_emptied AFTER TRUNCATE ON job_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_failures();

-- A call whose worker was thought dead is booked late: what its failure cost is known then.
CREATE FUNCTION keep_failure_cost() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE failures SET cost_usd = f.cost_usd, may_cost_usd = f.may_cost_usd
    FROM failed_jobs f
    WHERE failures.job_id = f.job_id AND f.job_id = ANY (ARRAY(
        SELECT NEW.job_id UNION SELECT s.id FROM job_rows j JOIN job_rows s ON s.lead_id = j.lead_id
        WHERE j.id = NEW.job_id
    ));
    RETURN NULL;
END $$;
CREATE TRIGGER failure_cost AFTER UPDATE OF cost_usd, may_cost_usd ON vendor_calls FOR EACH ROW WHEN (
    (OLD.cost_usd, OLD.may_cost_usd) IS DISTINCT FROM (NEW.cost_usd, NEW.may_cost_usd)
) EXECUTE FUNCTION keep_failure_cost();
"""
NO_KEEP = """
DROP TRIGGER failure_cost ON vendor_calls;
DROP FUNCTION keep_failure_cost();
DROP TRIGGER failure_added ON job_rows;
DROP TRIGGER failure_changed ON job_rows;
DROP TRIGGER failure_removed ON job_rows;
DROP TRIGGER failure_emptied ON job_rows;
DROP FUNCTION keep_failures();
"""

KEYS = {name: name for name in ("campaign_id", "kind", "service", "failure_type", "group_key", "ended")}
NUMBERS = {"number": "1", "cost_usd": "cost_usd", "may_cost_usd": "may_cost_usd", "marks": "mark::numeric"}
COLUMNS = ", ".join([*KEYS, "failed_at", "cost_usd", "may_cost_usd", "mark", "job_id"])

# Over the function that the tallies' own way makes: the failures are written anew as well.
RECOUNT = f"""
CREATE OR REPLACE FUNCTION recount_failure_tallies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE job_rows IN SHARE MODE;
    LOCK TABLE failures, failure_tallies IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM failures;
    INSERT INTO failures ({COLUMNS}) SELECT {COLUMNS} FROM failed_jobs;
    DELETE FROM failure_tallies;
    INSERT INTO failure_tallies ({", ".join([*KEYS, *NUMBERS])})
        SELECT {", ".join(KEYS)}, {", ".join(f"sum({number})" for number in NUMBERS.values())}
        FROM failures GROUP BY {", ".join(KEYS)};
END $$;
"""  # noqa: S608 (constants only)


def choices(names: list[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0028_review")]
    survives = "the triggers write for old processes too, to tables that only new ones read"

    operations = [
        migrations.CreateModel(
            name="Failure",
            fields=[
                ("job_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("campaign_id", models.BigIntegerField()),
                ("kind", models.CharField(choices=choices(KINDS), max_length=10)),
                ("service", models.CharField(choices=choices(SERVICES), max_length=20)),
                ("failure_type", models.CharField(blank=True, max_length=20)),
                ("group_key", models.UUIDField()),
                ("ended", models.BooleanField()),
                ("failed_at", models.DateTimeField()),
                ("cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
                ("may_cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
                ("mark", models.BigIntegerField()),
            ],
            options={
                "db_table": "failures",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["group_key", "failed_at", "job_id"], name="failure_group"),
                    models.Index(fields=["campaign_id", "group_key", "failed_at", "job_id"], name="failure_campaign"),
                    models.Index(fields=["campaign_id", "group_key", "job_id"], name="failure_retry"),
                ],
            },
        ),
        migrations.CreateModel(
            name="FailureTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("campaign_id", models.BigIntegerField(db_index=True)),
                ("kind", models.CharField(max_length=10)),
                ("service", models.CharField(max_length=20)),
                ("failure_type", models.CharField(max_length=20)),
                ("group_key", models.UUIDField(db_index=True)),
                ("ended", models.BooleanField()),
                ("number", models.BigIntegerField()),
                ("cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
                ("may_cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
                ("marks", models.DecimalField(decimal_places=0, max_digits=40)),
            ],
            options={"db_table": "failure_tallies"},
        ),
        migrations.RunSQL(WORDS, NO_WORDS),
        migrations.RunSQL(FAILED, NO_FAILED),
        tallies.trigger("failures", "failure_tallies", KEYS, NUMBERS),
        migrations.RunSQL(RECOUNT, "SELECT 1"),
        migrations.RunSQL(KEEP.format(columns=COLUMNS), NO_KEEP),
        migrations.RunSQL("SELECT recount_failure_tallies()", "SELECT 1"),
    ]
