"""The suppression list through the API: shown by filters, added to by the thousand, asked, and lifted with a reason."""

import pytest
from rest_framework.test import APIClient

from campaigns.leads.suppression import suppress
from campaigns.models import Suppression
from circuitbreakers.models import Event
from tests.api.conftest import client_of
from tests.breakers import ANN
from tests.builders import make_lead
from tests.campaigns.test_suppression import ROUND_THE_LIST

pytestmark = pytest.mark.django_db
URL = "/api/v1/suppressions"


@pytest.fixture
def admin() -> APIClient:
    return client_of("admin")


def test_values_are_put_on_the_list_and_their_open_leads_end(operator: APIClient) -> None:
    lead = make_lead(email="ida@eu.acme.example")
    body = {"values": ["@Acme.example", "tom@birch.example", "tom@birch.example", "co.uk"], "reason": "customers"}
    answer = operator.post(URL, body)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert {name: data[name] for name in ("added", "already", "raised", "leads")} == {
        "added": 2,
        "already": 1,
        "raised": 0,
        "leads": 1,
    }
    assert data["refused"][0]["value"] == "co.uk"
    assert "public suffix" in data["refused"][0]["reason"]
    lead.refresh_from_db()
    assert (lead.state, lead.end_reason) == ("DROPPED", "suppressed")
    assert set(Suppression.objects.values_list("source", "created_by", "cause")) == {("api", "operator", "operator")}


def test_the_same_request_again_changes_nothing(operator: APIClient) -> None:
    for added in (1, 0):
        assert operator.post(URL, {"values": ["ida@acme.example"]}).json()["data"]["added"] == added
    assert Event.objects.filter(subject_type="suppression").count() == 1


def test_when_nothing_can_be_taken_it_is_an_error_that_says_why(operator: APIClient) -> None:
    answer = operator.post(URL, {"values": ["co.uk", "nobody"]})
    assert answer.status_code == 400
    assert [text.partition(":")[0] for text in answer.json()["errors"]["values"]] == ["co.uk", "nobody"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"values": []},
        {"values": "ida@acme.example"},
        {"values": [["ida@acme.example"]]},
        {"values": [4711]},
        {"values": [f"p{number}@acme.example" for number in range(1001)]},
        {"values": ["x" * 1001]},
        {"values": ["ida@acme.example"], "cause": "erased"},
        {"values": ["ida@acme.example"], "reason": "x" * 301},
    ],
)
def test_what_is_not_valid_is_refused(operator: APIClient, body: dict) -> None:
    assert operator.post(URL, body).status_code == 400
    assert not Suppression.objects.exists()


def test_a_thousand_values_are_one_request(operator: APIClient) -> None:
    values = [f"p{number}@acme.example" for number in range(1000)]
    assert operator.post(URL, {"values": values}).json()["data"]["added"] == 1000


def test_the_list_is_narrowed_searched_and_paged(operator: APIClient, viewer: APIClient) -> None:
    suppress(["ida@acme.example"], "a click", ANN, cause=Suppression.Cause.UNSUBSCRIBED)
    operator.post(URL, {"values": ["acme.example", "tom@birch.example"], "reason": "customers"})

    def values(query: str) -> list[str]:
        return [row["value"] for row in viewer.get(f"{URL}?{query}").json()["data"]["results"]]

    assert values("cause=unsubscribed") == ["ida@acme.example"]
    assert values("source=api&ordering=value") == ["acme.example", "tom@birch.example"]
    assert values("search=acme&ordering=value") == ["acme.example", "ida@acme.example"]
    assert values("value=%2520IDA@acme.example") == ["ida@acme.example"]
    assert len(values("page_size=1")) == 1
    assert viewer.get(f"{URL}?cause=nonsense").status_code == 400
    row = viewer.get(f"{URL}?cause=unsubscribed").json()["data"]["results"][0]
    assert (row["final"], row["cause"], row["reason"], row["created_by"]) == (True, "unsubscribed", "a click", "ann")


def test_a_viewer_may_ask_whether_anybody_writes_there(viewer: APIClient) -> None:
    suppress(["acme.example"], "a customer", ANN)
    answer = viewer.post(f"{URL}/check", {"values": ["IDA@eu.acme.example", "tom@birch.example", "nonsense", ""]})
    assert answer.status_code == 200
    checked = answer.json()["data"]["checked"]
    assert [(one["value"], one["suppressed"], one["by"]) for one in checked] == [
        ("ida@eu.acme.example", True, "acme.example"),
        ("tom@birch.example", False, None),
        ("nonsense", False, None),
        ("", False, None),
    ]
    assert checked[0]["id"] == Suppression.objects.get().pk


def test_an_admin_lifts_what_an_operator_or_a_bounce_has_put_there(admin: APIClient, operator: APIClient) -> None:
    suppress(["ida@acme.example"], "bounced", ANN, cause=Suppression.Cause.BOUNCED)
    address = f"{URL}/{Suppression.objects.get().pk}/lift"
    assert operator.post(address, {"reason": "please"}).status_code == 403
    for body in ({}, {"reason": ""}, {"reason": "  "}):
        assert "reason" in admin.post(address, body).json()["errors"]
    answer = admin.post(address, {"reason": "the mailbox is back"})
    assert answer.json()["data"]["value"] == "ida@acme.example"
    assert not Suppression.objects.exists()
    event = Event.objects.latest("id")
    assert (event.verb, event.actor, event.door, event.reason) == ("lifted", "admin", "api", "the mailbox is back")
    assert admin.post(address, {"reason": "once more"}).status_code == 404


@pytest.mark.parametrize("final", Suppression.FINAL)
def test_a_persons_own_wish_is_lifted_by_nobody(admin: APIClient, final: Suppression.Cause) -> None:
    suppress(["ida@acme.example"], "a click", ANN, cause=final)
    answer = admin.post(f"{URL}/{Suppression.objects.get().pk}/lift", {"reason": "please"})
    assert answer.status_code == 409
    assert "nobody can take that off the list." in answer.json()["detail"]
    assert Suppression.objects.exists()


@pytest.mark.parametrize("raw", ROUND_THE_LIST)
def test_no_notation_gets_round_the_api(operator: APIClient, raw: str) -> None:
    assert operator.post(URL, {"values": [raw]}).json()["data"]["added"] == 1
    assert Suppression.objects.get().value == "ida@xn--bro-hoa.example"
    assert operator.post(f"{URL}/check", {"values": [raw]}).json()["data"]["checked"][0]["suppressed"]
