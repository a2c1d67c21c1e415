from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="vendorcall",
            index=models.Index(
                condition=models.Q(("outcome", "success"), _negated=True),
                fields=["outcome", "-id"],
                name="call_outcome",
            ),
        ),
    ]
