from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Calls whose answers were lost are few, and looked for in lists."""

    dependencies = [("campaigns", "0012_cheaper_writes")]

    operations = [
        migrations.AddIndex(
            "vendorcall",
            models.Index(fields=["-id"], condition=Q(may_be_charged=True), name="call_may_be_charged"),
        ),
    ]
