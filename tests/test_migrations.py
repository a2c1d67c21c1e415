"""Processes of the release before survive a migration: a rolling deploy migrates first, then replaces them."""

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from tests import migration_rules as rules
from tests.migration_rules import BEFORE, problems
from tests.pages import ROOT

LOADER = MigrationLoader(None, ignore_no_migrations=True)
OURS = sorted(key for key in LOADER.disk_migrations if key[0] in BEFORE and key[1][:4] > BEFORE[key[0]])
ROW = ModelState(
    "campaigns",
    "Row",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=20)),
        ("note", models.CharField(max_length=20, null=True)),
        ("mode", models.CharField(max_length=5, db_default="off")),
    ],
)


def test_each_app_of_ours_is_looked_at() -> None:
    assert {path.parent.name for path in ROOT.glob("*/migrations")} == set(BEFORE)
    assert OURS


@pytest.mark.parametrize("key", OURS, ids="/".join)
def test_old_processes_survive_it(key: tuple[str, str]) -> None:
    migration = LOADER.disk_migrations[key]
    assert problems(migration, LOADER.project_state(key, at_end=False)) == []


def found(operation: Operation, survives: str = "") -> list[str]:
    """What the rules say of one operation on a table of four columns."""
    state = ProjectState()
    state.add_model(ROW.clone())
    migration = migrations.Migration("0001_x", "campaigns")
    vars(migration).update(operations=[operation], survives=survives)
    return problems(migration, state)


TEXT = models.CharField(max_length=20)
REFUSED: dict[str, tuple[Operation, str]] = {
    "a field that goes": (migrations.RemoveField("row", "name"), rules.GONE),
    "a table that goes": (migrations.DeleteModel("Row"), rules.GONE),
    "a field by another name": (migrations.RenameField("row", "name", "title"), rules.RENAMED),
    "a model by another name": (migrations.RenameModel("Row", "Line"), rules.RENAMED),
    "a table by another name": (migrations.AlterModelTable("row", "lines"), rules.RENAMED),
    "a field that must be given": (migrations.AddField("row", "new", models.CharField(max_length=5)), rules.NO_DEFAULT),
    "a default of Python's alone": (
        migrations.AddField("row", "new", models.CharField(max_length=5, default="x")),
        rules.NO_DEFAULT,
    ),
    "null no more": (migrations.AlterField("row", "note", TEXT), rules.NARROWER),
    "shorter": (migrations.AlterField("row", "name", models.CharField(max_length=10)), rules.NARROWER),
    "another type": (migrations.AlterField("row", "name", models.IntegerField()), rules.NARROWER),
    "a constraint on what is there": (
        migrations.AddConstraint("row", models.CheckConstraint(condition=models.Q(name="x"), name="c")),
        rules.NARROWER,
    ),
    "one over columns": (
        migrations.AddConstraint("row", models.UniqueConstraint(fields=["name"], name="c")),
        rules.NARROWER,
    ),
    "SQL": (migrations.RunSQL("SELECT 1"), rules.UNKNOWN),
    "Python": (migrations.RunPython(migrations.RunPython.noop), rules.UNKNOWN),
    "two halves": (migrations.SeparateDatabaseAndState(), rules.UNKNOWN),
}
ALLOWED: dict[str, Operation] = {
    "a table": migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
    "a field that may be null": migrations.AddField("row", "new", models.CharField(max_length=5, null=True)),
    "a field with the database's default": migrations.AddField(
        "row", "new", models.CharField(max_length=5, db_default="")
    ),
    "longer": migrations.AlterField("row", "name", models.CharField(max_length=200)),
    "null from now on": migrations.AlterField("row", "name", models.CharField(max_length=20, null=True)),
    "an index": migrations.AddIndex("row", models.Index(fields=["name"], name="i")),
    "a constraint on what old processes leave to the database": migrations.AddConstraint(
        "row", models.CheckConstraint(condition=models.Q(mode__in=["off", "on"]), name="c")
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_old_processes_do_not_survive_is_refused_with_what_to_do(case: str) -> None:
    operation, why = REFUSED[case]
    (said,) = found(operation)
    assert why in said
    assert "survives = " in said
    assert found(operation, survives="nobody reads it since the release before") == []
    assert found(operation, survives="  ") != []


@pytest.mark.parametrize("case", ALLOWED)
def test_what_old_processes_do_not_notice_is_allowed(case: str) -> None:
    assert found(ALLOWED[case]) == []
