"""deploy/kubernetes: each object by Kubernetes' own schemas, and what must hold between them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings

from circuitbreakers.services import SERVICES
from local.stack import ROOT

HERE = ROOT / "deploy" / "kubernetes"
BASE, EXAMPLE = HERE / "base", HERE / "overlays" / "example"
VERSIONS = ("1.30", "1.34")
LONGEST = max(vendor["deadline"] for vendor in settings.VENDORS.values())


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


OBJECTS = {f"{one['kind']} {one['metadata']['name']}": one for one in [*documents(BASE), *documents(EXAMPLE)]}
DEPLOYMENTS = {one["metadata"]["name"]: one for one in OBJECTS.values() if one["kind"] == "Deployment"}
WORKERS = {name: one for name, one in DEPLOYMENTS.items() if name.startswith("worker-")}


def pod_of(one: dict[str, Any]) -> Any:
    spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
    return spec["template"]["spec"]


PODS = {name: pod_of(one) for name, one in OBJECTS.items() if one["kind"] in ("Deployment", "Job", "CronJob")}


def env(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def option(name: str, which: str) -> int:
    arguments = pod_of(WORKERS[name])["containers"][0]["args"]
    return int(arguments[arguments.index(which) + 1])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OBJECTS)
def test_each_object_is_what_its_schema_says(name: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], version, strict=True)


def test_a_wrong_field_would_be_refused() -> None:
    broken = {**OBJECTS["Deployment web"], "replica": 2}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_every_file_of_the_base_is_in_it() -> None:
    named = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert sorted(named) == sorted(path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")


def test_the_example_builds(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("no kubectl: whoever deploys has one")
    shutil.copytree(HERE, tmp_path / "kubernetes")
    example = tmp_path / "kubernetes" / "overlays" / "example"
    kustomization = yaml.safe_load((example / "kustomization.yaml").read_text())
    (example / "secrets").mkdir()
    for path in kustomization["secretGenerator"][0]["files"]:
        (example / path).write_text("a secret")
    done = subprocess.run([kubectl, "kustomize", example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for one in yaml.safe_load_all(done.stdout):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "holdfast"
    assert "image: registry.example.com/holdfast:" in done.stdout
    assert "image: holdfast\n" not in done.stdout


@pytest.mark.parametrize("name", PODS)
def test_no_pod_is_root_writes_or_speaks_to_kubernetes(name: str) -> None:
    pod = PODS[name]
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        locked = container["securityContext"]
        assert (locked["readOnlyRootFilesystem"], locked["allowPrivilegeEscalation"]) == (True, False)
        assert locked["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"]["memory"]
        assert container["resources"]["limits"]["memory"]


def test_the_user_is_the_images() -> None:
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_may_end_its_longest_call(name: str) -> None:
    waits = option(name, "--worker-shutdown-timeout") / 1000
    assert LONGEST < waits < pod_of(WORKERS[name])["terminationGracePeriodSeconds"]


def test_each_service_has_workers() -> None:
    queues: list[str] = []
    for worker in WORKERS.values():
        arguments = pod_of(worker)["containers"][0]["args"]
        queues += arguments[arguments.index("--queues") + 1 :]
    assert sorted(queues) == sorted(SERVICES)


@pytest.mark.parametrize("name", WORKERS)
def test_workers_are_scaled_by_the_messages_that_wait_for_them(name: str) -> None:
    scaler = OBJECTS[f"HorizontalPodAutoscaler {name}"]["spec"]
    arguments = pod_of(WORKERS[name])["containers"][0]["args"]
    metrics = [metric["external"]["metric"] for metric in scaler["metrics"]]
    assert {metric["selector"]["matchLabels"]["service"] for metric in metrics} == set(
        arguments[arguments.index("--queues") + 1 :]
    )
    (metric,) = {metric["name"] for metric in metrics}
    assert f"| `{metric}` | gauge | `service` |" in (ROOT / "docs" / "metrics.md").read_text()
    assert scaler["scaleTargetRef"]["name"] == name
    assert "replicas" not in WORKERS[name]["spec"], "an apply would undo what the scaler did"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_each_deployment_has_probes_a_budget_and_waits_for_the_migration(name: str) -> None:
    pod = pod_of(DEPLOYMENTS[name])
    assert {"startupProbe", "livenessProbe"} <= set(pod["containers"][0])
    assert pod["initContainers"][0]["args"] == ["python", "manage.py", "migrate", "--check"]
    budget = OBJECTS[f"PodDisruptionBudget {name}"]["spec"]
    assert budget["selector"] == DEPLOYMENTS[name]["spec"]["selector"]


@pytest.mark.parametrize("name", [*WORKERS, "supervisor"])
def test_a_worker_or_supervisor_lives_as_long_as_its_row_says(name: str) -> None:
    role = name.partition("-")[0]
    probe = pod_of(DEPLOYMENTS[name])["containers"][0]["livenessProbe"]
    assert probe["exec"]["command"] == ["python", "-m", "config.alive", role]


def test_one_of_two_stays_while_a_node_is_drained() -> None:
    for name in ("web", "supervisor"):
        assert DEPLOYMENTS[name]["spec"]["replicas"] >= 2
        assert OBJECTS[f"PodDisruptionBudget {name}"]["spec"]["minAvailable"] == 1


def test_secrets_are_files_and_each_of_them_is_made() -> None:
    given = env(BASE / "settings.env")
    files = {path.rpartition("/")[2] for name, path in given.items() if name.endswith("_FILE")}
    kustomization = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    assert files == {path.rpartition("/")[2] for path in kustomization["secretGenerator"][0]["files"]}
    example = (ROOT / ".env.example").read_text()
    for name in given:
        assert f"{name.removesuffix('_FILE')}=" in example


def test_connections_are_those_of_all_pods_that_may_run() -> None:
    workers = sum(
        OBJECTS[f"HorizontalPodAutoscaler {name}"]["spec"]["maxReplicas"]
        * option(name, "--processes")
        * (option(name, "--threads") + 1)
        for name in WORKERS
    )
    web, supervisors = (DEPLOYMENTS[name]["spec"]["replicas"] for name in ("web", "supervisor"))
    assert env(BASE / "settings.env")["CONNECTIONS"] == str(workers + 16 * web + 3 * supervisors + 8)


def test_nobody_reaches_anybody_but_for_what_is_said() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in OBJECTS.values() if one["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [name for name, policy in policies.items() if policy.get("ingress")] == ["web-from-the-proxy"]
    blocks = policies["vendors"]["egress"][0]["to"][0]["ipBlock"]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(blocks["except"])
    assert [port["port"] for port in policies["vendors"]["egress"][0]["ports"]] == [443]
