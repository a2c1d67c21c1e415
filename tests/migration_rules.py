"""What a migration may do while processes of the release before still run: they read and write the tables as they knew
them, until the last of them has been replaced.

A migration that does more says in one sentence why they survive it, as an attribute beside its operations:
`survives = "no code has read the column since the release before"`.
"""

from collections.abc import Iterator

from django.db import connection
from django.db.migrations import Migration, operations
from django.db.migrations.state import ProjectState
from django.db.models import Field, ManyToManyField

# The last migrations of a time when every process was stopped for an upgrade.
BEFORE = {
    "accounts": "0001",
    "campaigns": "0027",
    "circuitbreakers": "0012",
    "config": "0001",
    "notifications": "0001",
    "telemetry": "0001",
}

GONE = "old processes still ask for it: stop using it in one release, remove it in the next"
RENAMED = "old processes know it by its former name: add the new one beside it, move over two releases"
NO_DEFAULT = "old processes insert rows without it: give it a db_default, or let it be null"
NARROWER = "old processes write what no longer fits: widen it, or move to a new column over two releases"
UNKNOWN = "nobody can tell what old processes make of it"
ADVICE = "Say in the migration why they survive it: survives = '...'"


def problems(migration: Migration, before: ProjectState) -> list[str]:
    """Say what processes of the release before would not survive, by the state of the models before this migration;
    empty if they do, or if the migration says why."""
    if str(getattr(migration, "survives", "")).strip():
        return []
    state, found = before.clone(), []
    for operation in migration.operations:
        found += [f"{operation.describe()}: {why}. {ADVICE}" for why in _of(operation, migration.app_label, state)]
        operation.state_forwards(migration.app_label, state)
    return found


def _of(operation: operations.base.Operation, app: str, state: ProjectState) -> Iterator[str]:
    match operation:
        case operations.RemoveField() | operations.DeleteModel():
            yield GONE
        case operations.RenameField() | operations.RenameModel() | operations.AlterModelTable():
            yield RENAMED
        case operations.AddField():
            if _must_be_given(operation.field):
                yield NO_DEFAULT
        case operations.AlterField():
            models = state.apps.get_model(app, operation.model_name)
            if _is_narrower(models._meta.get_field(operation.name), operation.field):
                yield NARROWER
        case (
            operations.CreateModel() | operations.AddIndex() | operations.RemoveIndex() | operations.RemoveConstraint()
        ):
            return
        case operations.AlterModelOptions() | operations.AlterModelManagers():
            return
        case operations.AddConstraint():
            if not _is_new(operation, state, app):
                yield NARROWER
        case _:
            yield UNKNOWN


def _must_be_given(field: Field) -> bool:
    return not (
        isinstance(field, ManyToManyField) or field.null or field.has_db_default() or getattr(field, "generated", False)
    )


def _is_narrower(old: Field, new: Field) -> bool:
    if old.null and not new.null:
        return True
    shorter = (new.max_length or 10**9) < (old.max_length or 10**9)
    return shorter or _type(old) != _type(new)


def _type(field: Field) -> str:
    """The column's type without its length."""
    return str(field.db_type(connection)).partition("(")[0]


def _is_new(operation: operations.AddConstraint, state: ProjectState, app: str) -> bool:
    """Whether no row of an old process can break the constraint: every column that it names has a default there."""
    condition = getattr(operation.constraint, "condition", None)
    names = {name.partition("__")[0] for name, _ in condition.children} if condition is not None else set()
    fields = state.apps.get_model(app, operation.model_name)._meta
    return bool(names) and all(fields.get_field(name).has_db_default() for name in names)
