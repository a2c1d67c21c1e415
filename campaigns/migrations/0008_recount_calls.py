from django.db import migrations


class Migration(migrations.Migration):
    """What was booked before, and while the triggers were renewed."""

    atomic = False
    dependencies = [("campaigns", "0007_may_be_charged")]

    operations = [
        migrations.RunSQL(
            "UPDATE vendor_calls SET may_be_charged = true "
            "WHERE outcome = 'unknown' AND kind NOT IN ('find', 'prepare')",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("SELECT recount_call_tallies()", migrations.RunSQL.noop),
    ]
