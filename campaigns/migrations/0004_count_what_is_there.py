from django.db import migrations


class Migration(migrations.Migration):
    """Each table in a transaction of its own: one that held them all could wait for a writer that waits for it."""

    atomic = False
    dependencies = [("campaigns", "0003_tallies")]

    operations = [
        migrations.RunSQL(f"SELECT recount_{tallies}()", migrations.RunSQL.noop)
        for tallies in ("job_tallies", "lead_tallies", "call_tallies")
    ]
