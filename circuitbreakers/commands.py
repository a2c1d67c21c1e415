"""Each command has this shape: verbs, who acts and why, tables for people, JSON for programs, status 0, 1 or 2."""

import getpass
import json
import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core import checks
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.utils import timezone

from circuitbreakers import postgresql
from circuitbreakers.events import NAME_LENGTH, Actor
from circuitbreakers.models import Event
from circuitbreakers.services import UnknownService
from circuitbreakers.storable import length_of
from circuitbreakers.switch import RedisUnavailable

# The tag of the system checks that say whom a command may call, and the id of the one for a missing key.
WHOM_TO_CALL = "vendors"
NO_KEY = "holdfast.E01"

REFUSED = 1
WRONG_USAGE = 2


class VerbCommand(BaseCommand):
    """This is a command with verbs. A subclass adds its verbs with `verb`; `refusals` are the errors that mean 'not
    now'."""

    refusals: tuple[type[Exception], ...] = ()
    # Not all of Django's checks at each verb, but the ones that say whom it may call; see `handle`.
    requires_system_checks: list[str] = []
    works_without_keys = False
    as_json = False

    def add_arguments(self, parser: CommandParser) -> None:
        self.verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        self.add_verbs()

    def add_verbs(self) -> None:
        raise NotImplementedError

    def verb(self, name: str, text: str, *, changes: bool = False) -> ArgumentParser:
        """Declare a verb, run by the method of that name; one that changes something takes a reason and an actor."""
        parser = self.verbs.add_parser(name, help=text, description=text)
        self.add_common(parser, changes=changes)
        return parser

    @staticmethod
    def add_common(parser: ArgumentParser, *, changes: bool) -> None:
        """Add the options that every verb has, and those of one that changes something."""
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        if changes:
            parser.add_argument("--reason", default="", help="why; it becomes part of the record")
            parser.add_argument("--actor", default="", help="who acts (default: the user of this shell)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = options["as_json"]
        self.refuse_unwritable(options)
        self.refuse_wrong_vendors()
        name = options["verb"].replace("-", "_")
        try:
            # `do_import`, `do_check`: where the verb alone is a keyword, or something else of Django's.
            verb = getattr(self, f"do_{name}", None) or getattr(self, name)
            verb(options)
        except UnknownService as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        except ValidationError as error:
            raise CommandError("; ".join(error.messages), returncode=WRONG_USAGE) from None
        except ObjectDoesNotExist as error:
            raise CommandError(str(error), returncode=REFUSED) from None
        except self.refusals as error:
            raise CommandError(str(error), returncode=REFUSED) from None
        except RedisUnavailable as error:
            raise CommandError(
                f"{error}. Nothing was changed that the supervisor will not finish; try again."
            ) from None
        except DatabaseError as error:
            raise CommandError(
                postgresql.words(error) if postgresql.row_in_use(error) else f"PostgreSQL: {str(error).strip()}"
            ) from None

    def refuse_wrong_vendors(self) -> None:
        """Refuse every verb under settings that web, workers and supervisor do not start with."""
        for problem in checks.run_checks(tags=[WHOM_TO_CALL]):
            if not (self.works_without_keys and str(problem.id).startswith(NO_KEY)):
                raise CommandError(f"{problem.msg} {problem.hint}", returncode=REFUSED)

    def actor(self, options: dict[str, Any]) -> Actor:
        """Return who acts: `--actor`, else the user of the shell."""
        return Actor(options.get("actor") or _shell_user(), "command")

    def refuse_unwritable(self, options: dict[str, Any]) -> None:
        """Refuse a text that no row takes whole before anything happens: PostgreSQL would refuse or cut it when
        Redis has changed already."""
        for name, value in options.items():
            if isinstance(value, str) and not _is_utf8(value):
                raise CommandError(f"The {name} is not UTF-8.", returncode=WRONG_USAGE)
        who = options.get("actor") or _shell_user()
        if "actor" in options and not (who.isprintable() and len(who) <= NAME_LENGTH):
            raise CommandError(
                f"--actor must be a name of at most {NAME_LENGTH} printable characters.", returncode=WRONG_USAGE
            )
        reason, longest = options.get("reason") or "", length_of(Event, "reason")
        if longest and len(reason) > longest:
            raise CommandError(
                f"A reason has at most {longest} characters; this one has {len(reason):,}.", returncode=WRONG_USAGE
            )

    def show(self, data: Any, *lines: str) -> None:
        """Print `data` as JSON for programs, else `lines` for people."""
        if self.as_json:
            self.stdout.write(as_json(data))
        else:
            for line in lines:
                self.stdout.write(line)


def as_json(data: Any) -> str:
    """Return the data as JSON for programs."""
    return json.dumps(data, cls=DjangoJSONEncoder, indent=2)


def listed(numbers: dict[str, int]) -> str:
    """Write counts as `3 RUNNING, 1 PAUSED`, or `none`."""
    return ", ".join(f"{number} {name}" for name, number in numbers.items()) or "none"


def instant(text: str) -> datetime:
    """Read an ISO 8601 instant of the command line as UTC; one without its offset is of the server's time zone."""
    value = datetime.fromisoformat(text)
    try:
        return (value if value.tzinfo else timezone.make_aware(value)).astimezone(UTC)
    except OverflowError:  # PostgreSQL would take the year 10000, and no process could read it again
        raise ArgumentTypeError(f"an instant of the years 1 to 9999 in UTC, not {text!r}") from None


def _is_utf8(text: str) -> bool:
    """Say whether the shell gave text: other bytes arrive as surrogates, which no store takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shell_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a plain table; an empty one says so."""
    if not rows:
        return "(none)"
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(headers), *cells]) for i in range(len(headers))]
    lines = [list(headers), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
