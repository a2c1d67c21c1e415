"""The alert rules, as promtool's tests want them."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.pages import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "alerts.yml"


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Each alert's rule by its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def firing(name: str, value: str = "", **labels: str) -> dict[str, Any]:
    """An alert that fires with these labels, and `value` in the place of its value."""
    rule = alerts()[name]

    def filled(text: str) -> str:
        text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], text)
        return re.sub(r"\{\{ \$value.*?\}\}", value, text)

    return {
        "exp_labels": {**rule["labels"], **labels},
        "exp_annotations": {key: filled(text) for key, text in rule["annotations"].items()},
    }


def expectation(name: str, at: str, *fires: dict[str, Any]) -> dict[str, Any]:
    return {"eval_time": at, "alertname": name, "exp_alerts": list(fires)}


def as_yaml(rules: Path | str, interval: str, series: dict[str, str], expected: list[dict[str, Any]]) -> str:
    """A file for `promtool test rules`: the series by their names, and what is expected of them."""
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": expected,
            }
        ],
    }
    return yaml.safe_dump(content, sort_keys=False, width=1_000_000)
