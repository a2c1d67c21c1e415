from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0008_recount_calls"),
    ]

    operations = [
        migrations.AddField(
            model_name="process",
            name="steps",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="A supervisor's: seconds of the last run, and of the last overrun.",
            ),
        ),
    ]
