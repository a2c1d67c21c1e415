"""A file may wait for its import while somebody looks at its columns."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0026_lead_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="LeadFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("encoding", models.CharField(max_length=20)),
                ("encoding_guessed", models.BooleanField(default=False)),
                ("delimiter", models.CharField(max_length=1)),
                ("mapping", models.JSONField(default=dict, help_text="Header -> field, '' to ignore the column.")),
                ("foretold", models.JSONField(blank=True, null=True)),
                ("refused", models.CharField(blank=True, max_length=1000)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "campaign",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lead_file", to="campaigns.campaign"
                    ),
                ),
            ],
            options={
                "db_table": "lead_files",
                "default_permissions": (),
            },
        ),
    ]
