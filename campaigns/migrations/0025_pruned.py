from django.db import migrations, models

JOBS = "campaign_id, service, status, number, avoided_usd"
CALLS = """
    campaign_id, service, day, number, failed, unknown, credits, tokens_in, tokens_out, cost_usd,
    may_be_charged, may_cost_usd"""
# As migrations 0003, 0007 and 0015 have them; and what was pruned is counted again.
RECOUNT = """
CREATE OR REPLACE FUNCTION recount_job_tallies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE job_rows IN SHARE MODE;
    LOCK TABLE job_tallies IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM job_tallies;
    INSERT INTO job_tallies ({jobs})
        SELECT campaign_id, service, CASE status WHEN 'PROCESSING' THEN 'PENDING' ELSE status END,
            sum(1), sum(avoided_usd)
        FROM job_rows GROUP BY 1, 2, 3;
    {pruned_jobs}
END $$;
CREATE OR REPLACE FUNCTION recount_call_tallies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE vendor_calls IN SHARE MODE;
    LOCK TABLE call_tallies IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM call_tallies;
    INSERT INTO call_tallies ({calls})
        SELECT coalesce(campaign_id, 0), service, (admitted_at AT TIME ZONE 'UTC')::date, sum(1),
            sum((outcome NOT IN ('success', 'unknown'))::int), sum((outcome = 'unknown')::int),
            sum(credits), sum(tokens_in), sum(tokens_out), sum(cost_usd), sum(may_be_charged::int), sum(may_cost_usd)
        FROM vendor_calls GROUP BY 1, 2, 3;
    {pruned_calls}
END $$;
"""
AFTER = RECOUNT.format(
    jobs=JOBS,
    calls=CALLS,
    pruned_jobs=f"INSERT INTO job_tallies ({JOBS}) SELECT {JOBS} FROM pruned_jobs;",  # noqa: S608
    pruned_calls=f"INSERT INTO call_tallies ({CALLS}) SELECT {CALLS} FROM pruned_calls;",  # noqa: S608
)
BEFORE = RECOUNT.format(jobs=JOBS, calls=CALLS, pruned_jobs="", pruned_calls="")


class Migration(migrations.Migration):
    """What pruned jobs and calls added up to; when a campaign's were pruned, and its leads' texts."""

    dependencies = [
        ("campaigns", "0024_failed_before"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="jobs_pruned_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="texts_pruned_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name="PrunedCalls",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("campaign_id", models.BigIntegerField()),
                (
                    "service",
                    models.CharField(
                        choices=[
                            ("apollo", "apollo"),
                            ("millionverifier", "millionverifier"),
                            ("perplexity", "perplexity"),
                            ("openai", "openai"),
                            ("instantly", "instantly"),
                        ],
                        max_length=20,
                    ),
                ),
                ("day", models.DateField()),
                ("number", models.BigIntegerField()),
                ("failed", models.BigIntegerField()),
                ("unknown", models.BigIntegerField()),
                ("credits", models.DecimalField(decimal_places=4, max_digits=20)),
                ("tokens_in", models.BigIntegerField()),
                ("tokens_out", models.BigIntegerField()),
                ("cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
                ("may_be_charged", models.BigIntegerField()),
                ("may_cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
            ],
            options={
                "db_table": "pruned_calls",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("campaign_id", "service", "day"), name="pruned_calls_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="PrunedJobs",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("campaign_id", models.BigIntegerField()),
                (
                    "service",
                    models.CharField(
                        choices=[
                            ("apollo", "apollo"),
                            ("millionverifier", "millionverifier"),
                            ("perplexity", "perplexity"),
                            ("openai", "openai"),
                            ("instantly", "instantly"),
                        ],
                        max_length=20,
                    ),
                ),
                ("status", models.CharField(max_length=10)),
                ("number", models.BigIntegerField()),
                ("avoided_usd", models.DecimalField(decimal_places=6, max_digits=20)),
            ],
            options={
                "db_table": "pruned_jobs",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("campaign_id", "service", "status"), name="pruned_jobs_once")
                ],
            },
        ),
        migrations.RunSQL(AFTER, BEFORE),
    ]
