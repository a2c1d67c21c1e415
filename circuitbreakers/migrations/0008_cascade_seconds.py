from django.db import migrations, models


class Migration(migrations.Migration):
    """How long an opening took to pause everything."""

    dependencies = [("circuitbreakers", "0007_planned_pauses")]

    operations = [
        migrations.AddField(
            model_name="incident",
            name="cascade_seconds",
            field=models.FloatField(
                help_text="From the opening, by Redis's clock, to all campaigns paused.", null=True
            ),
        ),
    ]
