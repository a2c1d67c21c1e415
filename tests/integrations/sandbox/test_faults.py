"""Each fault at each service: what a client sees, and what it costs."""

import time

import pytest
import requests

from tests.integrations.sandbox.calls import ADDRESS, SERVICES, Client

FAULTS = (
    *("server_error", "timeout", "connection_reset", "rate_limit", "quota_exhausted"),
    *("bad_key", "malformed", "html", "silent"),
)

# Status of the paid call, status of the probe, words of the paid call's body, units charged.
EXPECTED = {
    ("apollo", "server_error"): (500, 500, "Internal Server Error", 0),
    ("apollo", "rate_limit"): (429, 429, "maximum number of api calls allowed for api/v1/people/bulk_match", 0),
    ("apollo", "quota_exhausted"): (422, 200, "BILLING.LIMIT.CREDITS_EXHAUSTED", 0),
    ("apollo", "bad_key"): (401, 401, "Invalid API key.", 0),
    ("apollo", "malformed"): (200, 200, '"status":"success"', 1),
    ("apollo", "html"): (403, 403, "<!DOCTYPE html>", 0),
    ("apollo", "silent"): (200, 200, '"matches":[null]', 0),
    ("millionverifier", "server_error"): (500, 500, "Internal Server Error", 0),
    ("millionverifier", "rate_limit"): (403, 403, "Too many requests", 0),
    ("millionverifier", "quota_exhausted"): (200, 200, '"error":"insufficient_credits"', 0),
    ("millionverifier", "bad_key"): (200, 200, '"error":"apikey_not_found"', 0),
    ("millionverifier", "malformed"): (200, 200, '{"email"', 1),
    ("millionverifier", "html"): (403, 403, "<!DOCTYPE html>", 0),
    ("millionverifier", "silent"): (200, 200, '"error":"internal_error"', 0),
    ("perplexity", "server_error"): (500, 500, '"type":"internal_error"', 0),
    ("perplexity", "rate_limit"): (429, 429, '"type":"request_rate_limit_exceeded"', 0),
    ("perplexity", "quota_exhausted"): (401, 200, '"type":"insufficient_quota"', 0),
    ("perplexity", "bad_key"): (401, 200, '"type":"forbidden"', 0),
    ("perplexity", "malformed"): (200, 200, '"object":"response"', 1),
    ("perplexity", "html"): (401, 401, "<!DOCTYPE html>", 0),
    ("perplexity", "silent"): (200, 200, '"status":"failed"', 0),
    ("openai", "server_error"): (500, 500, '"type":"server_error"', 0),
    ("openai", "rate_limit"): (429, 429, '"code":"rate_limit_exceeded"', 0),
    ("openai", "quota_exhausted"): (429, 200, '"type":"insufficient_quota"', 0),
    ("openai", "bad_key"): (401, 401, '"code":"invalid_api_key"', 0),
    ("openai", "malformed"): (200, 200, '"object":"response"', 1),
    ("openai", "html"): (403, 403, "<!DOCTYPE html>", 0),
    ("openai", "silent"): (200, 200, '"status":"incomplete"', 1),
    ("instantly", "server_error"): (500, 500, '"statusCode":500', 0),
    ("instantly", "rate_limit"): (429, 429, '"message":"Rate limit exceeded"', 0),
    ("instantly", "quota_exhausted"): (402, 402, "does not have an active paid plan", 0),
    ("instantly", "bad_key"): (401, 401, '"message":"Invalid API key"', 0),
    ("instantly", "malformed"): (200, 200, '"status":"success"', 1),
    ("instantly", "html"): (403, 403, "error code: 1010", 0),
    ("instantly", "silent"): (200, 200, '"leads_uploaded":0', 0),
}
# Whether a timed-out call was billed.
UNHEARD = {"apollo": 0, "millionverifier": 0, "perplexity": 1, "openai": 1, "instantly": 1}


def test_the_table_is_complete():
    told = {*EXPECTED, *((service, fault) for service in SERVICES for fault in ("timeout", "connection_reset"))}
    assert told == {(service, fault) for service in SERVICES for fault in FAULTS}


@pytest.mark.parametrize(("service", "fault"), EXPECTED)
def test_a_fault_answers_as_the_vendor_would(client: Client, service, fault):
    paid_status, probe_status, words, charged = EXPECTED[service, fault]
    client.break_(service, fault)

    answer = client.paid(service)
    probe = client.probe(service)

    assert (answer.status_code, probe.status_code) == (paid_status, probe_status)
    assert words in answer.text
    (call, probed) = client.calls(service)
    assert (call["status"], call["charged"], call["probe"]) == (paid_status, charged, False)
    assert (probed["status"], probed["charged"], probed["probe"]) == (probe_status, 0, True)


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_fault_all_is_well(client: Client, service):
    assert client.paid(service).json()
    assert client.probe(service).json()
    assert [(call["status"], call["charged"]) for call in client.calls(service)] == [(200, 1), (200, 0)]


@pytest.mark.parametrize("service", SERVICES)
def test_malformed_does_not_parse(client: Client, service):
    client.break_(service, "malformed")
    for answer in (client.paid(service), client.probe(service)):
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()


@pytest.mark.parametrize("service", SERVICES)
def test_connection_reset_is_a_real_rst(client: Client, service):
    client.break_(service, "connection_reset")
    for ask in (client.paid, client.probe):
        with pytest.raises(requests.exceptions.ConnectionError, match="Connection reset by peer"):
            ask(service)
    assert [(call["status"], call["charged"]) for call in client.calls(service)] == [(None, 0), (None, 0)]


@pytest.mark.parametrize("service", SERVICES)
def test_timeout_accepts_and_says_nothing(client: Client, service):
    client.break_(service, "timeout")
    for ask in (client.paid, client.probe):
        with pytest.raises(requests.exceptions.ReadTimeout):
            ask(service, timeout=0.2)
    assert [(call["status"], call["charged"]) for call in client.calls(service)] == [
        (None, UNHEARD[service]),
        (None, 0),
    ]


def test_a_timed_out_push_has_added_its_lead_and_a_repeat_says_so(client: Client):
    client.break_("instantly", "timeout")
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.paid("instantly", timeout=0.2)
    client.break_("instantly", "none")

    repeat = client.paid("instantly").json()

    assert (repeat["leads_uploaded"], repeat["duplicated_leads"]) == (0, 1)
    assert client.bill("instantly")["added_more_than_once"] == {}


def test_bad_key_breaks_the_health_calls_where_they_need_a_key(client: Client):
    """Perplexity's list of models needs none; Apollo's /auth/health says 200 and tells in the body."""
    for service in SERVICES:
        client.break_(service, "bad_key")
    assert client.probe("millionverifier").json() == {"error": "apikey_not_found"}
    assert client.probe("perplexity").status_code == 200
    health = client.call("apollo", "GET", "/auth/health")
    assert (health.status_code, health.json()) == (200, {"healthy": True, "is_logged_in": False})


def test_an_exhausted_balance_shows_in_the_free_calls(client: Client):
    for service in SERVICES:
        client.break_(service, "quota_exhausted")
    assert client.probe("apollo").json()["num_credits_remaining"] == 0
    credits = client.call("apollo", "POST", "/usage_stats/credit_usage_stats").json()
    assert credits["credit_usage_stats"]["lead_credit"]["left_over"] == 0
    assert client.probe("millionverifier").json()["credits"] == 0
    # A search costs nothing, so it goes on.
    assert client.call("apollo", "POST", "/mixed_people/api_search").status_code == 200


@pytest.mark.parametrize("service", ["apollo", "perplexity", "openai"])
def test_retry_after_is_sent_where_the_vendor_sends_one(client: Client, service):
    client.break_(service, "rate_limit", retry_after=7)
    assert client.paid(service).headers["Retry-After"] == "7"
    client.break_(service, "rate_limit")
    assert "Retry-After" not in client.paid(service).headers


@pytest.mark.parametrize("service", ["millionverifier", "instantly"])
def test_retry_after_is_never_sent_by_the_others(client: Client, service):
    client.break_(service, "rate_limit", retry_after=7)
    headers = {name.lower() for name in client.paid(service).headers}
    assert not {name for name in headers if "retry" in name or "rate" in name}


def test_rate_headers_say_nothing_is_left(client: Client):
    client.break_("apollo", "rate_limit")
    client.break_("openai", "rate_limit")
    client.break_("perplexity", "rate_limit")
    assert client.paid("apollo").headers["x-minute-requests-left"] == "0"
    assert client.paid("openai").headers["x-ratelimit-remaining-requests"] == "0"
    assert client.paid("perplexity").headers["X-RateLimit-Remaining"] == "0"


@pytest.mark.parametrize(("share", "failed"), [(0, 0), (0.1, 2), (0.25, 5), (0.5, 10), (0.75, 15), (1, 20)])
def test_a_share_of_the_calls_fails_evenly_and_repeatably(client: Client, share, failed):
    runs = []
    for _ in range(2):
        client.break_("openai", "server_error", share=share)
        runs.append([client.probe("openai").status_code for _ in range(20)])
    assert runs[0].count(500) == failed
    assert runs[0] == runs[1]


def test_half_a_share_alternates(client: Client):
    client.break_("apollo", "server_error", share=0.5)
    assert [client.probe("apollo").status_code for _ in range(4)] == [200, 500, 200, 500]


def test_a_fault_stays_with_its_service(client: Client):
    client.break_("openai", "server_error")
    assert {service: client.paid(service).status_code for service in SERVICES} == {
        **dict.fromkeys(SERVICES, 200),
        "openai": 500,
    }


def test_latency_is_added_to_every_call(client: Client):
    client.break_("openai", "none", latency_ms=150)
    started = time.monotonic()
    client.probe("openai")
    assert time.monotonic() - started >= 0.15


def test_latency_is_20_ms_unless_told_otherwise(client: Client):
    client.control("POST", "reset")
    assert client.control("GET", "openai") == {"fault": "none", "share": 1.0, "latency_ms": 20, "retry_after": None}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"fault": "broken"}, "fault must be one of none, server_error"),
        ({"fault": ["none"]}, "fault must be one of"),
        ({"share": 1.5}, "share must be a number from 0 to 1, not 1.5"),
        ({"share": True}, "share must be a number"),
        ({"latency_ms": -1}, "latency_ms must be a number from 0"),
        ({"retry_after": "soon"}, "retry_after must be null or seconds"),
        ({"faults": "none"}, "Unknown field: faults. Known: fault, latency_ms, retry_after, share."),
        ([], "Send a JSON object"),
    ],
)
def test_a_senseless_setting_is_refused_with_a_reason_and_changes_nothing(client: Client, setting, words):
    client.break_("openai", "server_error")
    response = client.put(f"{client.url}/_control/openai", json=setting)
    assert response.status_code == 400
    assert words in response.json()["detail"]
    assert client.control("GET", "openai")["fault"] == "server_error"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "gmail", 404), ("PUT", "bill", 405), ("GET", "reset", 405), ("GET", "calls?since=x", 400)],
)
def test_a_wrong_control_is_refused(client: Client, method, path, status):
    response = client.request(method, f"{client.url}/_control/{path}")
    assert (response.status_code, bool(response.json()["detail"])) == (status, True)


def test_a_setting_that_is_no_json_is_refused(client: Client):
    response = client.put(f"{client.url}/_control/openai", data="fault=none")
    assert (response.status_code, response.json()) == (400, {"detail": "The body is not JSON."})


@pytest.mark.parametrize("key", ["", "bad-key", "invalid-1"])
@pytest.mark.parametrize("service", SERVICES)
def test_missing_and_wrong_credentials_are_refused(client: Client, service, key):
    client.key = key
    answer = client.paid(service)
    assert answer.status_code == (200 if service == "millionverifier" else 401)
    if service == "millionverifier":
        assert "key" in answer.json()["error"]
    if service == "apollo":
        assert answer.headers["Content-Type"].startswith("text/plain")
    (call,) = client.calls(service)
    assert call["charged"] == 0


@pytest.mark.parametrize("service", ["apollo", "perplexity", "openai", "instantly"])
def test_a_key_without_scopes_is_told_so(client: Client, service):
    client.key = "unscoped-1"
    assert client.paid(service).status_code == 403


def test_a_fault_leaves_the_address_on_the_books(client: Client):
    client.break_("openai", "server_error")
    client.paid("openai")
    (call,) = client.calls()
    assert (call["key"], call["fault"], call["status"]) == (ADDRESS, "server_error", 500)
