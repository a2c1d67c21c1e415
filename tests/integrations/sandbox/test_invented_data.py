"""The invented world: the same everywhere, large, reserved, and blemished as real data is."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from integrations.sandbox.millionverifier import verdicts
from integrations.sandbox.world import companies, people
from integrations.sandbox.world.people import PEOPLE, by_id, person
from tests.integrations.sandbox.calls import Client

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def everybody() -> list[people.Person]:
    return [person(number) for number in range(PEOPLE)]


def test_there_are_tens_of_thousands(everybody):
    assert len({one.id for one in everybody}) == PEOPLE >= 40_000
    assert len({companies.company(number).domain for number in range(companies.COMPANIES)}) == companies.COMPANIES


def test_every_domain_is_reserved(everybody):
    assert all(one.company.domain.endswith(".example") for one in everybody)
    assert all(one.email is None or one.email.endswith(".example") for one in everybody)
    assert all(one.email is None or one.email.isascii() for one in everybody)


def test_the_blemishes_are_there(everybody):
    addresses = Counter(one.email for one in everybody if one.email)
    assert sum(one.email is None for one in everybody) > PEOPLE / 50
    assert sum(count > 1 for count in addresses.values()) > PEOPLE / 100
    assert sum(not one.matched for one in everybody) > PEOPLE / 100
    assert any(one.title is None for one in everybody)
    assert any(len(one.title or "") == 300 for one in everybody)
    assert any(not one.name.isascii() for one in everybody)
    assert any("🚀" in one.first_name for one in everybody)
    assert any("\u0590" <= one.last_name[0] <= "\u06ff" for one in everybody)
    results = Counter(verdicts.verdict(address).result for address in addresses)
    assert set(results) == {"ok", "catch_all", "unknown", "invalid", "disposable"}
    assert results["ok"] > 0.8 * len(addresses)


def test_a_twin_has_another_id_and_the_same_address(everybody):
    twins = [(one, other) for one, other in pairwise(everybody) if one.email and one.email == other.email]
    assert len(twins) > 500
    assert all(one.id != other.id for one, other in twins)


def test_an_id_leads_back_to_its_person(everybody):
    assert by_id(everybody[12_345].id) == everybody[12_345]
    assert by_id("0" * 24) is None
    assert by_id("not an id") is None
    forged = everybody[1].id[:16] + everybody[2].id[16:]
    assert by_id(forged) is None


@pytest.mark.processes
def test_another_process_invents_the_same_world():
    script = (
        "import json; from integrations.sandbox.millionverifier import verdicts\n"
        "from integrations.sandbox.world import people\n"
        "print(json.dumps([[p.id, p.name, p.email, p.title, verdicts.verdict(p.email or 'x@y.example').result]"
        " for p in map(people.person, range(0, 40000, 997))]))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"}
    seen = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=env, capture_output=True, check=True)
    expected = [
        [one.id, one.name, one.email, one.title, verdicts.verdict(one.email or "x@y.example").result]
        for one in map(person, range(0, 40_000, 997))
    ]
    assert json.loads(seen.stdout) == expected


@pytest.mark.parametrize("service", ["apollo", "millionverifier", "instantly"])
def test_the_same_question_gets_the_same_answer(client: Client, service):
    def ask() -> object:
        client.control("POST", "reset")
        answer = client.paid(service).json()
        for row in answer.get("created_leads", []):
            row.pop("id")
        return answer

    assert ask() == ask()


def test_a_verdict_depends_on_the_address_only(client: Client):
    addresses = [f"person{number}@company{number % 40}.test" for number in range(300)]
    first = [client.paid("millionverifier", address).json()["result"] for address in addresses]
    again = [client.paid("millionverifier", address.upper()).json()["result"] for address in reversed(addresses)]
    assert first == again[::-1]
    assert first.count("ok") > 200


@pytest.mark.parametrize(
    ("address", "result", "subresult"),
    [
        ("nonsense", "invalid", "invalid_syntax"),
        ("two@@acme.test", "invalid", "invalid_syntax"),
        ("ida@gmial.com", "invalid", "dns_no_mx"),
        ("ida@throwaway.example", "disposable", "disposable"),
        ("ida+unknown@acme.test", "unknown", "connection_timeout"),
        ("ida+catch_all@acme.test", "catch_all", "catch_all"),
    ],
)
def test_verdicts_that_are_known_beforehand(client: Client, address, result, subresult):
    answer = client.paid("millionverifier", address).json()
    assert (answer["result"], answer["subresult"], answer["email"]) == (result, subresult, address)
    assert answer["resultcode"] == verdicts.CODES[result]


def test_free_mail_role_accounts_and_misspellings_are_marked(client: Client):
    assert client.paid("millionverifier", "ida@gmail.com").json()["free"] is True
    assert client.paid("millionverifier", "info@acme.test").json()["role"] is True
    assert client.paid("millionverifier", "ida@gmial.com").json()["didyoumean"] == "ida@gmail.com"


def test_quality_does_not_always_follow_the_result():
    """The vendor's own example pairs quality good with result invalid."""
    found = [verdicts.verdict(f"a{number}@b{number}.test") for number in range(2000)]
    assert any(each.quality == "good" and each.result == "invalid" for each in found)
