"""A release goes out while work goes on: the migration first, then one process after the other; nothing is lost,
nothing is done twice, and no call is cut."""

import csv
import shutil
import sys
from pathlib import Path

import pytest

from local.processes import run
from local.stack import ROOT
from tests.chaos.house import SUPERVISORS, WORKERS, Books, House
from tests.chaos.invariants import AT_REST
from tests.chaos.sabotage import LEFT_OUT

# So many people a campaign; another begins when fewer are open than a slow restart could end.
LEADS = 80
RUNNING = "SELECT count(*) FROM campaigns WHERE status = 'RUNNING'"
OPEN = "SELECT count(*) FROM leads WHERE state = 'OPEN'"
LATENCY = {"latency_ms": 150}
# As an upgrade says it (docs/going-live.md): what finishes others' work first, then those who work, then the pages.
ORDER = (*SUPERVISORS, *WORKERS, "web")
FIELD = '    note = models.CharField(max_length=20, blank=True, default="", db_default="")\n'
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("campaigns", "{latest}")]
    operations = [
        migrations.AddField(
            "jobrow", "note", models.CharField(max_length=20, blank=True, default="", db_default="")
        )
    ]
"""


def next_release(folder: Path) -> Path:
    """A copy of the tree whose jobs have one more column."""
    release = folder / "next"
    shutil.copytree(ROOT, release, ignore=LEFT_OUT)
    model = release / "campaigns" / "models" / "job.py"
    text = model.read_text()
    (place,) = [line for line in text.splitlines(keepends=True) if 'related_name="job_rows", db_index=False)' in line]
    model.write_text(text.replace(place, place + FIELD))
    migrations = release / "campaigns" / "migrations"
    latest = max(path.stem for path in migrations.glob("[0-9]*.py"))
    (migrations / f"{int(latest[:4]) + 1:04}_note.py").write_text(MIGRATION.format(latest=latest))
    return release


def manage(house: House, release: Path, *arguments: str) -> str:
    done = run([sys.executable, "manage.py", *arguments], env=house.env, cwd=release, within=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def begin(house: House, folder: Path, number: int) -> None:
    """Start a campaign with people of its own."""
    path = folder / f"people-{number}.csv"
    with path.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(["First Name", "Company", "Email"])
        first = number * LEADS
        rows.writerows([f"Ida{n}", f"Acme {n}", f"ida{n}+ok@acme{n}.example"] for n in range(first, first + LEADS))
    made = house.manage("campaign", "create", f"Through {number}", "--csv", str(path), "--start")
    assert made.returncode == 0, made.stderr


@pytest.mark.processes
def test_a_release_goes_out_while_a_campaign_runs(tmp_path: Path) -> None:
    release = next_release(tmp_path)
    house = House(tmp_path / "house")
    with house:
        books = Books(house)
        for service in ("millionverifier", "perplexity", "openai", "instantly"):
            books.control(service, LATENCY)
        begin(house, tmp_path, 0)
        books.until("work is under way", lambda: books.ended() >= 5, within=180)

        assert "_note" in manage(house, release, "migrate", "--no-input")
        before = books.ended()
        books.until("what is old works on the new tables", lambda: books.ended() > before, within=180)
        begun = 1
        for name in ORDER:
            if books.value(OPEN) < LEADS / 2:
                begin(house, tmp_path, begun)
                begun += 1
            child = house.children[name]
            with child.lock:
                child.stop()
                child.cwd = release
                child.start()
            assert books.value(OPEN), f"nothing was to be done while {name} was replaced"
        # Nothing of the former release is left.
        assert {Path(f"/proc/{pid}/cwd").resolve() for name in ORDER for pid in [house.children[name].pid]} == {release}

        books.until("it is done", lambda: not books.value(RUNNING), within=300)
        ends = dict(books.rows("SELECT state, count(*) FROM leads GROUP BY 1"))
        assert ends == {"PUSHED": LEADS * begun}
        assert books.value("SELECT count(*) FROM vendor_calls WHERE outcome <> 'success' OR may_be_charged") == 0
        assert books.value("SELECT sum(crashes) FROM job_rows") == 0
        contradicted = {name: found for name, against in AT_REST.items() if (found := against(house, books))}
        assert contradicted == {}
        books.database.close()
