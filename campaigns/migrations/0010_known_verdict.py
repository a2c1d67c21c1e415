from django.db import migrations


class Migration(migrations.Migration):
    """The model says what it is; its table `verdicts` stays as it is."""

    dependencies = [("campaigns", "0009_process_steps")]
    operations = [migrations.RenameModel("Verdict", "KnownVerdict")]
