from importlib import import_module

import django.utils.timezone
from django.db import migrations, models

cheaper = import_module("campaigns.migrations.0012_cheaper_writes")
paused = import_module("campaigns.migrations.0011_paused_is_a_view")
tallies = import_module("campaigns.migrations.0003_tallies")

VERDICTS = """
INSERT INTO known_facts (key, about, value, cost_usd, bought_at)
SELECT 'verdict:' || email, email, json_build_object('result', result, 'subresult', subresult), 0, checked_at
FROM verdicts WHERE result <> ''
"""
FACTS = """
INSERT INTO verdicts (email, result, subresult, checked_at)
SELECT about, value ->> 'result', value ->> 'subresult', bought_at
FROM known_facts WHERE key LIKE 'verdict:%' AND value IS NOT NULL
"""

_, TALLIES, _, NUMBERS = tallies.KEPT[0]
made = tallies.trigger("job_rows", TALLIES, cheaper.UNFINISHED, {**NUMBERS, "avoided_usd": "avoided_usd"})

# A view takes a further column at its end only.
JOBS = f"""
CREATE OR REPLACE VIEW jobs AS SELECT {", ".join(f"j.{column}" for column in paused.COLUMNS)},
    job_status(j.status, c.status) AS status,
    CASE WHEN job_status(j.status, c.status) = 'PAUSED' THEN 'Job paused: Campaign ' || j.campaign_id || ' is paused'
        ELSE j.error END AS error,
    j.status AS stored{{further}}
FROM job_rows j LEFT JOIN campaigns c ON c.id = j.campaign_id;
"""  # noqa: S608 (constants only)
BEFORE, AFTER = "DROP VIEW jobs;" + JOBS.format(further=""), JOBS.format(further=", j.avoided_usd")


class Migration(migrations.Migration):
    """What was bought once is kept in one table, whatever it is; a job says what it did not have to pay."""

    dependencies = [
        ("campaigns", "0014_what_comes_back"),
    ]

    operations = [
        migrations.CreateModel(
            name="KnownFact",
            fields=[
                (
                    "key",
                    models.CharField(
                        help_text="verdict:…, person:… or research:…", max_length=400, primary_key=True, serialize=False
                    ),
                ),
                (
                    "about",
                    models.CharField(
                        blank=True, help_text="Whose it is: an address; none of a company.", max_length=320
                    ),
                ),
                ("value", models.JSONField(null=True)),
                ("cost_usd", models.DecimalField(decimal_places=6, default=0, max_digits=12)),
                ("asked_by", models.BigIntegerField(null=True)),
                ("asked_until", models.DateTimeField(null=True)),
                ("bought_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "known_facts",
            },
        ),
        migrations.RunSQL(VERDICTS, FACTS),
        migrations.DeleteModel(
            name="KnownVerdict",
        ),
        migrations.AddField(
            model_name="jobrow",
            name="avoided_usd",
            field=models.DecimalField(
                db_default=0,
                decimal_places=6,
                default=0,
                help_text="What it would have cost, had its answer not been known.",
                max_digits=12,
            ),
        ),
        migrations.AddField(
            model_name="jobtally",
            name="avoided_usd",
            field=models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=20),
        ),
        migrations.AddIndex(
            model_name="knownfact",
            index=models.Index(condition=models.Q(("about", ""), _negated=True), fields=["about"], name="fact_about"),
        ),
        migrations.RunSQL(cheaper.AFTER[1], cheaper.AFTER[0]),
        migrations.RunSQL(made.sql, made.reverse_sql),
        migrations.RunSQL(AFTER, BEFORE),
    ]
