"""Celery as in `on_celery`, but with Django's ORM, as most projects have it: lead and ledger row in one transaction."""

import os
import sys
from typing import Any

import django
import environ
from django.conf import settings

from bench.peers import on_celery

if not settings.configured:
    settings.configure(
        DATABASES={"default": environ.Env.db_url_config(os.environ["BENCH_DATABASE_URL"]) | {"CONN_MAX_AGE": None}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()

from django.db import models, transaction
from django.utils import timezone


class Lead(models.Model):
    objects: models.Manager = models.Manager()
    stage = models.TextField()
    answers = models.JSONField(default=dict)

    class Meta:
        app_label, db_table, managed = "peers", "peer_leads", False


class Call(models.Model):
    objects: models.Manager = models.Manager()
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE)
    step = models.TextField()
    outcome = models.TextField()
    duration_ms = models.IntegerField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label, db_table, managed = "peers", "peer_calls", False


def write(written: dict[str, Any]) -> None:
    """Write the ledger row and the lead."""
    with transaction.atomic():
        lead = Lead.objects.get(pk=written["lead"])
        lead.stage = written["step"]
        lead.answers |= written["answer"].obj
        lead.save(update_fields=["stage", "answers"])
        Call.objects.create(lead=lead, step=lead.stage, outcome=written["outcome"], duration_ms=written["ms"])


app = on_celery.app
run = on_celery.make_task("orm_step", write)

if __name__ == "__main__":
    on_celery.seed(run, int(sys.argv[1]))
