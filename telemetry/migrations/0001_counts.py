from django.db import migrations, models


class Migration(migrations.Migration):
    """Counts outlive the processes that have counted."""

    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Count",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sample", models.CharField(max_length=100)),
                ("labels", models.CharField(help_text="JSON, its names in order.", max_length=200)),
                ("value", models.FloatField()),
            ],
            options={
                "db_table": "counts",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("sample", "labels"), name="count_once_per_labels")],
            },
        ),
    ]
