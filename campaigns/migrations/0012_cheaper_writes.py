from importlib import import_module

from django.db import migrations, models
from django.db.models import Q

tallies = import_module("campaigns.migrations.0003_tallies")

_, TALLIES, KEYS, NUMBERS = tallies.KEPT[0]
# A claim changes no tally: what workers hold is counted where it is, by the index of the leases.
UNFINISHED = {**KEYS, "status": "CASE status WHEN 'PROCESSING' THEN 'PENDING' ELSE status END"}


def triggers(keys: dict[str, str]) -> tuple[str, str]:
    made = tallies.trigger("job_rows", TALLIES, keys, NUMBERS)
    return str(made.sql), str(made.reverse_sql)


BEFORE, AFTER = triggers(KEYS), triggers(UNFINISHED)

# Of a job that a worker holds: one more PROCESSING, one less of those that wait.
COUNTS = """
CREATE OR REPLACE VIEW job_counts AS
SELECT t.id, t.campaign_id, t.service, job_status(t.status, c.status) AS status, t.number
FROM job_tallies t LEFT JOIN campaigns c ON c.id = t.campaign_id
UNION ALL
SELECT 0, j.campaign_id, j.service, one.status, one.number
FROM job_rows j JOIN campaigns c ON c.id = j.campaign_id
CROSS JOIN LATERAL (
    VALUES ('PROCESSING'::varchar, 1::bigint), (job_status('PENDING', c.status), -1)
) one (status, number)
WHERE j.status = 'PROCESSING'
"""
COUNTS_BEFORE = """
CREATE OR REPLACE VIEW job_counts AS
SELECT t.id, t.campaign_id, t.service, job_status(t.status, c.status) AS status, t.number
FROM job_tallies t LEFT JOIN campaigns c ON c.id = t.campaign_id
"""

# Room on each page, so that a change of what no index holds writes no index.
ROOM = "ALTER TABLE job_rows SET (fillfactor = 70); ALTER TABLE leads SET (fillfactor = 70)"
NO_ROOM = "ALTER TABLE job_rows RESET (fillfactor); ALTER TABLE leads RESET (fillfactor)"


class Migration(migrations.Migration):
    """What a call writes: no tally for a claim, no index for a lead's next stage or a message that was sent."""

    dependencies = [("campaigns", "0011_paused_is_a_view")]

    operations = [
        migrations.RemoveIndex("lead", "lead_unfed"),
        migrations.AddField(
            "lead",
            "unfed",
            models.GeneratedField(db_persist=True, expression=Q(stage=""), output_field=models.BooleanField()),
        ),
        migrations.AddIndex(
            "lead", models.Index(fields=["campaign"], condition=Q(state="OPEN", unfed=True), name="lead_unfed")
        ),
        migrations.RunSQL(ROOM, NO_ROOM),
        migrations.RunSQL("SELECT 1", "SELECT recount_job_tallies()"),
        migrations.RunSQL(BEFORE[1], BEFORE[0]),
        migrations.RunSQL(AFTER[0], AFTER[1]),
        migrations.RunSQL("SELECT recount_job_tallies()", "SELECT 1"),
        migrations.RunSQL(COUNTS, COUNTS_BEFORE),
    ]
