import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Receipts of whoever was erased."""

    dependencies = [
        ("campaigns", "0015_known_facts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("erased_by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("digests", models.JSONField(default=list)),
                ("erased", models.JSONField(default=dict, help_text="What went: table -> rows.")),
                ("not_reached", models.JSONField(default=list, help_text="Where else it may be, in sentences.")),
            ],
            options={
                "db_table": "erasures",
                "ordering": ["-id"],
                "default_permissions": ("view", "add"),
            },
        ),
    ]
