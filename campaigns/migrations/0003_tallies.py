from django.db import migrations, models

# (rows, tallies, keys of a tally, what a row adds to its numbers)
KEPT = [
    ("jobs", "job_tallies", {"campaign_id": "campaign_id", "service": "service", "status": "status"}, {"number": "1"}),
    ("leads", "lead_tallies", {"campaign_id": "campaign_id", "state": "state", "stage": "stage"}, {"number": "1"}),
    (
        "vendor_calls",
        "call_tallies",
        {
            "campaign_id": "coalesce(campaign_id, 0)",
            "service": "service",
            "day": "(admitted_at AT TIME ZONE 'UTC')::date",
        },
        {
            "number": "1",
            "failed": "(outcome NOT IN ('success', 'unknown'))::int",
            "unknown": "(outcome = 'unknown')::int",
            "credits": "credits",
            "tokens_in": "tokens_in",
            "tokens_out": "tokens_out",
            "cost_usd": "cost_usd",
        },
    ),
]

# One call per statement, with its rows as tables: a million rows in one UPDATE append a handful of tallies.
KEEP = """
CREATE FUNCTION keep_{tallies}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO {tallies} ({columns}) SELECT {keys}, {plus} FROM added GROUP BY {places};
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO {tallies} ({columns}) SELECT {keys}, {minus} FROM removed GROUP BY {places};
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO {tallies} ({columns})
        SELECT {names}, {sums} FROM (
            SELECT {keys}, {plus_each} FROM added UNION ALL SELECT {keys}, {minus_each} FROM removed
        ) AS changes ({columns}) GROUP BY {places} HAVING {changed};
    ELSE
        DELETE FROM {tallies};
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tally_added AFTER INSERT ON {rows} REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION keep_{tallies}();
CREATE TRIGGER tally_changed AFTER UPDATE ON {rows} REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_{tallies}();
CREATE TRIGGER tally_removed AFTER DELETE ON {rows} REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_{tallies}();
CREATE TRIGGER tally_emptied AFTER TRUNCATE ON {rows}
    FOR EACH STATEMENT EXECUTE FUNCTION keep_{tallies}();

-- Writers of the rows wait, and so does a fold of the tallies.
CREATE FUNCTION recount_{tallies}() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE {rows} IN SHARE MODE;
    LOCK TABLE {tallies} IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM {tallies};
    INSERT INTO {tallies} ({columns}) SELECT {keys}, {plus} FROM {rows} GROUP BY {places};
END $$;

-- Their rows come and go by the second.
ALTER TABLE {tallies} SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
"""
FORGET = """
DROP TRIGGER tally_added ON {rows};
DROP TRIGGER tally_changed ON {rows};
DROP TRIGGER tally_removed ON {rows};
DROP TRIGGER tally_emptied ON {rows};
DROP FUNCTION keep_{tallies}();
DROP FUNCTION recount_{tallies}();
"""


def trigger(rows: str, tallies: str, keys: dict[str, str], numbers: dict[str, str]) -> migrations.RunSQL:
    texts = {
        "rows": rows,
        "tallies": tallies,
        "columns": ", ".join([*keys, *numbers]),
        "names": ", ".join(keys),
        "keys": ", ".join(keys.values()),
        "places": ", ".join(str(place + 1) for place in range(len(keys))),
        "plus": ", ".join(f"sum({number})" for number in numbers.values()),
        "minus": ", ".join(f"-sum({number})" for number in numbers.values()),
        "plus_each": ", ".join(numbers.values()),
        "minus_each": ", ".join(f"-{number}" for number in numbers.values()),
        "sums": ", ".join(f"sum({name})" for name in numbers),
        "changed": " OR ".join(f"sum({name}) <> 0" for name in numbers),
    }
    return migrations.RunSQL(KEEP.format(**texts), FORGET.format(**texts))


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_call_outcome_index")]

    operations = [
        migrations.CreateModel(
            name="JobTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("campaign_id", models.BigIntegerField(db_index=True)),
                ("service", models.CharField(max_length=20)),
                ("status", models.CharField(max_length=10)),
                ("number", models.BigIntegerField()),
            ],
            options={"db_table": "job_tallies"},
        ),
        migrations.CreateModel(
            name="LeadTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("campaign_id", models.BigIntegerField(db_index=True)),
                ("state", models.CharField(max_length=10)),
                ("stage", models.CharField(max_length=10)),
                ("number", models.BigIntegerField()),
            ],
            options={"db_table": "lead_tallies"},
        ),
        migrations.CreateModel(
            name="CallTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("campaign_id", models.BigIntegerField(db_index=True)),
                ("service", models.CharField(max_length=20)),
                ("day", models.DateField(db_index=True)),
                ("number", models.BigIntegerField()),
                ("failed", models.BigIntegerField()),
                ("unknown", models.BigIntegerField()),
                ("credits", models.DecimalField(decimal_places=4, max_digits=20)),
                ("tokens_in", models.BigIntegerField()),
                ("tokens_out", models.BigIntegerField()),
                ("cost_usd", models.DecimalField(decimal_places=6, max_digits=20)),
            ],
            options={"db_table": "call_tallies"},
        ),
        *(trigger(*kept) for kept in KEPT),
    ]
