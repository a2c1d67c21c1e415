"""Leads are found by words of name, company, domain and address; the index of companies alone is not needed then."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0025_pruned"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="lead",
            name="lead_company",
        ),
        migrations.AddIndex(
            model_name="lead",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector(
                    "first_name",
                    "last_name",
                    "company",
                    "company_domain",
                    django.db.models.functions.text.Replace("email", models.Value("@"), models.Value(" ")),
                    config="simple",
                ),
                name="lead_words",
            ),
        ),
    ]
