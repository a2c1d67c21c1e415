"""compose.yaml: what compose itself would refuse, and what must hold of it: secrets, roots, graces, connections."""

import re
from datetime import timedelta
from typing import Any

import compose_spec
import pytest
import yaml
from django.conf import settings

from circuitbreakers.services import SERVICES
from config.environment import env
from local.stack import ROOT

SET = {"MODE": "live", "ALLOWED_HOSTS": "holdfast.example", "WEB_URL": "https://holdfast.example"}
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")


def composed() -> Any:
    """The file as compose reads it: variables put in, anchors merged."""
    text = VARIABLE.sub(lambda found: SET.get(found[1]) or found[2] or "", (ROOT / "compose.yaml").read_text())
    return yaml.safe_load(text.replace("$$", "$"))


FILE = composed()
OURS = {name: service for name, service in FILE["services"].items() if service["image"] == "holdfast"}
WORKERS = {name: service for name, service in OURS.items() if name.startswith("worker-")}
SUPERVISORS = FILE["services"]["supervisor"]


def option(service: Any, name: str) -> str:
    """What stands behind an option of the service's command."""
    command: list[str] = service["command"]
    return command[command.index(name) + 1]


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_compose_takes_it() -> None:
    compose = compose_spec.PyCompose.from_yaml(yaml.safe_dump(FILE))
    compose.validate()
    assert set(compose.service_names()) == set(FILE["services"])


@pytest.mark.parametrize(("key", "value"), [("retsart", "no"), ("stop_grace_period", "soon"), ("ports", ["x:y"])])
def test_the_reader_refuses_what_compose_would(key: str, value: object) -> None:
    broken = {**FILE, "services": {**FILE["services"], "web": {**FILE["services"]["web"], key: value}}}
    with pytest.raises(ValueError, match=r"services\.web"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(broken)).validate()


def test_each_service_has_workers_of_its_own_that_serve_its_queue() -> None:
    assert {name: option(worker, "--queues") for name, worker in WORKERS.items()} == {
        f"worker-{service}": service for service in SERVICES
    }


def test_a_worker_may_end_its_longest_call() -> None:
    longest = max(vendor["deadline"] for vendor in settings.VENDORS.values())
    for worker in WORKERS.values():
        waits = int(option(worker, "--worker-shutdown-timeout")) / 1000
        assert longest < waits < seconds(worker["stop_grace_period"])


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_ours_may_write_or_gain_rights(name: str) -> None:
    service = OURS[name]
    assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_stands_in_the_environment_and_each_file_is_read_by_name() -> None:
    for service in OURS.values():
        named = {name: path for name, path in service["environment"].items() if name.endswith("_FILE")}
        assert {path.removeprefix("/run/secrets/") for path in named.values()} == set(service["secrets"])
        assert not set(service["environment"]) & {name.removesuffix("_FILE") for name in named}
    assert {details["file"] for details in FILE["secrets"].values()} == {
        f"./secrets/{name}" for name in FILE["secrets"]
    }
    assert "/secrets/" in (ROOT / ".gitignore").read_text().split()
    assert "secrets" in (ROOT / ".dockerignore").read_text().split()


def test_the_files_are_read_where_the_settings_look_for_them() -> None:
    assert type(env.ENVIRON).__name__ == "FileAwareMapping"


def test_whether_it_lives_is_asked_of_its_row() -> None:
    asked = [*(("worker", worker) for worker in WORKERS.values()), ("supervisor", SUPERVISORS)]
    for role, service in asked:
        assert service["healthcheck"]["test"] == ["CMD", "python", "-m", "config.alive", role]


def test_connections_are_those_of_what_runs() -> None:
    workers = sum(
        int(option(worker, "--processes")) * (int(option(worker, "--threads")) + 1) for worker in WORKERS.values()
    )
    (processes, threads) = re.findall(r'"--(?:workers|threads)", "(\d+)"', (ROOT / "Dockerfile").read_text())
    supervisors = 3 * SUPERVISORS["deploy"]["replicas"]
    commands = 2  # a migration, or somebody's manage.py
    expected = workers + int(processes) * int(threads) + supervisors + commands
    assert OURS["web"]["environment"]["CONNECTIONS"] == expected
    assert expected < 100 - 3, "PostgreSQL's own default allows no more"


def test_stores_reach_nobody_and_have_passwords() -> None:
    assert FILE["networks"]["inside"] == {"internal": True}
    for store in ("postgres", "valkey"):
        assert FILE["services"][store]["networks"] == ["inside"]
        assert "ports" not in FILE["services"][store]
    assert "requirepass" in FILE["services"]["valkey"]["command"][0]
    assert "NOSUPERUSER" in FILE["configs"]["postgres_role"]["content"]


def test_a_supervisor_stands_by() -> None:
    assert SUPERVISORS["deploy"]["replicas"] == 2
    assert timedelta(seconds=seconds(SUPERVISORS["stop_grace_period"])) >= timedelta(seconds=10)
