from importlib import import_module

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

tallies = import_module("campaigns.migrations.0003_tallies")

_, TALLIES, KEYS, NUMBERS = tallies.KEPT[0]

COLUMNS = (
    *("id", "kind", "service", "part", "payload", "failure_type", "without_call", "attempts", "crashes", "fence"),
    *("worker", "claimed_at", "lease_until", "run_at", "sent_at", "created_at", "completed_at", "campaign_id"),
    "lead_id",
)

# Says when a job is PAUSED; JobQuerySet.in_status asks the same by what is stored. A left join, which PostgreSQL leaves
# out where nobody asks for a state.
VIEWS = f"""
CREATE FUNCTION job_status(stored varchar, campaign varchar) RETURNS varchar LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN stored = 'PENDING' AND campaign = 'PAUSED' THEN 'PAUSED' ELSE stored END $$;

CREATE VIEW jobs AS SELECT {", ".join(f"j.{column}" for column in COLUMNS)},
    job_status(j.status, c.status) AS status,
    CASE WHEN job_status(j.status, c.status) = 'PAUSED' THEN 'Job paused: Campaign ' || j.campaign_id || ' is paused'
        ELSE j.error END AS error,
    j.status AS stored
FROM job_rows j LEFT JOIN campaigns c ON c.id = j.campaign_id;

CREATE VIEW job_counts AS
SELECT t.id, t.campaign_id, t.service, job_status(t.status, c.status) AS status, t.number
FROM job_tallies t LEFT JOIN campaigns c ON c.id = t.campaign_id;
"""  # noqa: S608 (constants only)
NO_VIEWS = "DROP VIEW job_counts; DROP VIEW jobs; DROP FUNCTION job_status(varchar, varchar);"

ROWS = """
UPDATE jobs SET status = 'PENDING', error = NULL WHERE status = 'PAUSED';
ALTER TABLE jobs DROP CONSTRAINT job_paused_has_error, DROP CONSTRAINT job_status_known;
DROP INDEX job_paused;
ALTER TABLE jobs RENAME TO job_rows;
ALTER TABLE job_rows ADD CONSTRAINT job_status_known
    CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED'));
"""
# What is PENDING in a paused campaign becomes PAUSED again within seconds: the older code sees to it.
NO_ROWS = """
ALTER TABLE job_rows DROP CONSTRAINT job_status_known;
ALTER TABLE job_rows RENAME TO jobs;
ALTER TABLE jobs ADD CONSTRAINT job_status_known
    CHECK (status IN ('PENDING', 'PROCESSING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED')),
    ADD CONSTRAINT job_paused_has_error CHECK (status <> 'PAUSED' OR error IS NOT NULL);
CREATE INDEX job_paused ON jobs (campaign_id, service, id) WHERE status = 'PAUSED';
"""


def triggers(rows: str) -> tuple[str, str]:
    """SQL that makes and removes the triggers of the jobs' tallies; their functions name the table."""
    made = tallies.trigger(rows, TALLIES, KEYS, NUMBERS)
    return str(made.sql), str(made.reverse_sql)


BEFORE, AFTER = triggers("jobs"), triggers("job_rows")


class Migration(migrations.Migration):
    """A waiting job is PAUSED as long as its campaign is: shown by views, written nowhere."""

    dependencies = [("campaigns", "0010_known_verdict")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="running_since",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Its last start or resume: earlier messages do not count.",
                null=True,
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(BEFORE[1], BEFORE[0]),
                migrations.RunSQL(ROWS, NO_ROWS),
                migrations.RunSQL(AFTER[0], AFTER[1]),
                migrations.RunSQL(VIEWS, NO_VIEWS),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="JobRow",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("find", "find"),
                                    ("reveal", "reveal"),
                                    ("prepare", "prepare"),
                                    ("verify", "verify"),
                                    ("research", "research"),
                                    ("write", "write"),
                                    ("push", "push"),
                                ],
                                max_length=10,
                            ),
                        ),
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
                        (
                            "part",
                            models.PositiveIntegerField(default=0, help_text="find: page; reveal: page and tens."),
                        ),
                        (
                            "payload",
                            models.JSONField(blank=True, default=dict, help_text="reveal: the people to reveal."),
                        ),
                        ("error", models.TextField(blank=True, null=True)),
                        (
                            "failure_type",
                            models.CharField(blank=True, help_text="Of its last failed call.", max_length=20),
                        ),
                        (
                            "without_call",
                            models.BooleanField(
                                default=False, help_text="Done without a vendor call: nothing was paid."
                            ),
                        ),
                        (
                            "attempts",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="Spent on vendor failures; five are allowed."
                            ),
                        ),
                        (
                            "crashes",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="Worker deaths with this very job; three are allowed."
                            ),
                        ),
                        ("fence", models.PositiveIntegerField(default=0, help_text="Number of the last claim.")),
                        ("worker", models.CharField(blank=True, max_length=100)),
                        ("claimed_at", models.DateTimeField(blank=True, null=True)),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        (
                            "run_at",
                            models.DateTimeField(
                                default=django.utils.timezone.now, help_text="Not before this instant."
                            ),
                        ),
                        (
                            "sent_at",
                            models.DateTimeField(
                                blank=True, help_text="Its message was sent; a lease of 30 s.", null=True
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                        ("completed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("PENDING", "Pending"),
                                    ("PROCESSING", "Processing"),
                                    ("COMPLETED", "Completed"),
                                    ("FAILED", "Failed"),
                                    ("CANCELLED", "Cancelled"),
                                ],
                                default="PENDING",
                                max_length=10,
                            ),
                        ),
                        (
                            "campaign",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="job_rows",
                                to="campaigns.campaign",
                            ),
                        ),
                        (
                            "lead",
                            models.ForeignKey(
                                blank=True,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="job_rows",
                                to="campaigns.lead",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "job_rows",
                        "ordering": ["-id"],
                        "default_permissions": (),
                    },
                ),
                migrations.AlterField(
                    model_name="vendorcall",
                    name="job",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calls",
                        to="campaigns.jobrow",
                    ),
                ),
                migrations.AddIndex(
                    model_name="jobrow",
                    index=models.Index(
                        condition=models.Q(("status", "PENDING")),
                        fields=["campaign", "service", "id"],
                        name="job_pending",
                    ),
                ),
                migrations.AddIndex(
                    model_name="jobrow",
                    index=models.Index(
                        condition=models.Q(("status", "PROCESSING")), fields=["lease_until"], name="job_leases"
                    ),
                ),
                migrations.AddIndex(
                    model_name="jobrow",
                    index=models.Index(fields=["campaign", "-id"], name="job_campaign"),
                ),
                migrations.AddIndex(
                    model_name="jobrow",
                    index=models.Index(fields=["status", "-id"], name="job_status"),
                ),
                migrations.AddIndex(
                    model_name="jobrow",
                    index=models.Index(fields=["service", "-id"], name="job_service"),
                ),
                migrations.AddConstraint(
                    model_name="jobrow",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("lead__isnull", False)), fields=("lead", "kind"), name="job_once_per_lead"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="jobrow",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("lead", None)),
                        fields=("campaign", "kind", "part"),
                        name="job_once_per_part",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="jobrow",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"])
                        ),
                        name="job_status_known",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="jobrow",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("claimed_at__isnull", False), ("lease_until__isnull", False), ("status", "PROCESSING")
                            ),
                            models.Q(models.Q(("status", "PROCESSING"), _negated=True), ("lease_until", None)),
                            _connector="OR",
                        ),
                        name="job_processing_has_lease",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="jobrow",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("completed_at__isnull", False), ("status__in", ["COMPLETED", "FAILED", "CANCELLED"])
                            ),
                            models.Q(
                                models.Q(("status__in", ["COMPLETED", "FAILED", "CANCELLED"]), _negated=True),
                                ("completed_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="job_ended_has_time",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="jobrow",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind__in", ("find", "reveal", "prepare")), ("lead", None)),
                            models.Q(
                                models.Q(("kind__in", ("find", "reveal", "prepare")), _negated=True),
                                ("lead__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="job_belongs_to_campaign_or_lead",
                    ),
                ),
                migrations.DeleteModel("Job"),
                migrations.CreateModel(
                    name="Job",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("find", "find"),
                                    ("reveal", "reveal"),
                                    ("prepare", "prepare"),
                                    ("verify", "verify"),
                                    ("research", "research"),
                                    ("write", "write"),
                                    ("push", "push"),
                                ],
                                max_length=10,
                            ),
                        ),
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
                        (
                            "part",
                            models.PositiveIntegerField(default=0, help_text="find: page; reveal: page and tens."),
                        ),
                        (
                            "payload",
                            models.JSONField(blank=True, default=dict, help_text="reveal: the people to reveal."),
                        ),
                        ("error", models.TextField(blank=True, null=True)),
                        (
                            "failure_type",
                            models.CharField(blank=True, help_text="Of its last failed call.", max_length=20),
                        ),
                        (
                            "without_call",
                            models.BooleanField(
                                default=False, help_text="Done without a vendor call: nothing was paid."
                            ),
                        ),
                        (
                            "attempts",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="Spent on vendor failures; five are allowed."
                            ),
                        ),
                        (
                            "crashes",
                            models.PositiveSmallIntegerField(
                                default=0, help_text="Worker deaths with this very job; three are allowed."
                            ),
                        ),
                        ("fence", models.PositiveIntegerField(default=0, help_text="Number of the last claim.")),
                        ("worker", models.CharField(blank=True, max_length=100)),
                        ("claimed_at", models.DateTimeField(blank=True, null=True)),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        (
                            "run_at",
                            models.DateTimeField(
                                default=django.utils.timezone.now, help_text="Not before this instant."
                            ),
                        ),
                        (
                            "sent_at",
                            models.DateTimeField(
                                blank=True, help_text="Its message was sent; a lease of 30 s.", null=True
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                        ("completed_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("PENDING", "Pending"),
                                    ("PROCESSING", "Processing"),
                                    ("PAUSED", "Paused"),
                                    ("COMPLETED", "Completed"),
                                    ("FAILED", "Failed"),
                                    ("CANCELLED", "Cancelled"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "campaign",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="jobs",
                                to="campaigns.campaign",
                            ),
                        ),
                        (
                            "lead",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="jobs",
                                to="campaigns.lead",
                            ),
                        ),
                        (
                            "stored",
                            models.CharField(
                                choices=[
                                    ("PENDING", "Pending"),
                                    ("PROCESSING", "Processing"),
                                    ("COMPLETED", "Completed"),
                                    ("FAILED", "Failed"),
                                    ("CANCELLED", "Cancelled"),
                                ],
                                editable=False,
                                max_length=10,
                            ),
                        ),
                    ],
                    options={
                        "db_table": "jobs",
                        "ordering": ["-id"],
                        "managed": False,
                        "permissions": [("operate_job", "Can retry and cancel jobs")],
                    },
                ),
                migrations.CreateModel(
                    name="JobCount",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("campaign_id", models.BigIntegerField()),
                        ("service", models.CharField(max_length=20)),
                        ("status", models.CharField(max_length=10)),
                        ("number", models.BigIntegerField()),
                    ],
                    options={
                        "db_table": "job_counts",
                        "managed": False,
                    },
                ),
            ],
        ),
    ]
