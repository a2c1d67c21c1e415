"""How the tests talk to the sandbox: as any client of the five vendors would, over HTTP."""

from typing import Any, Self

import requests

from integrations.sandbox.instantly.workspace import STANDING_CAMPAIGNS, campaign_id
from integrations.sandbox.world import people

SERVICES = ("apollo", "millionverifier", "perplexity", "openai", "instantly")
CAMPAIGN = campaign_id(STANDING_CAMPAIGNS[0])
MAIL_SCHEMA = {
    "type": "object",
    "properties": {"subject": {"type": "string"}, "body": {"type": "string"}},
    "required": ["subject", "body"],
    "additionalProperties": False,
}
PROMPT = "Name: Ida Locke\nCompany: Acme Robotics\nEmail: {address}"
# An address whose verdict is good, so that it costs a credit.
ADDRESS = "ida+ok@acme.example"


def revealable(start: int = 0) -> people.Person:
    """Somebody who has an address and whom enrichment finds."""
    return next(
        person for number in range(start, people.PEOPLE) if (person := people.person(number)).email and person.matched
    )


class Client(requests.Session):
    services = SERVICES

    def __init__(self, url: str, key: str = "any-key") -> None:
        super().__init__()
        self.trust_env = False
        self.url = url
        self.key = key

    def __enter__(self) -> Self:
        return self

    def call(self, service: str, method: str, path: str, **options: Any) -> requests.Response:
        """A call with the credentials where the vendor wants them."""
        headers: dict[str, str] = options.pop("headers", {})
        params = list(options.pop("params", []))
        if service == "millionverifier" and self.key:
            params.append(("api", self.key))
        elif service == "apollo" and self.key:
            headers["x-api-key"] = self.key
        elif self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        prefix = {"apollo": "/apollo/api/v1", "openai": "/openai/v1"}.get(service, f"/{service}")
        options.setdefault("timeout", 10)
        return self.request(method, f"{self.url}{prefix}{path}", params=params, headers=headers, **options)

    def paid(self, service: str, address: str = ADDRESS, **options: Any) -> requests.Response:
        """The call that Holdfast pays this vendor for. Apollo is asked for a person, whatever the address."""
        if service == "apollo":
            details = {"details": [{"id": revealable().id}]}
            return self.call(service, "POST", "/people/bulk_match", json=details, **options)
        if service == "millionverifier":
            return self.call(service, "GET", "/api/v3/", params=[("email", address), ("timeout", "15")], **options)
        body: dict[str, Any]
        if service == "perplexity":
            body = {"model": "perplexity/sonar", "preset": "fast", "input": PROMPT.format(address=address)}
            return self.call(service, "POST", "/v1/agent", json=body, **options)
        if service == "openai":
            wanted = {"type": "json_schema", "name": "mail", "strict": True, "schema": MAIL_SCHEMA}
            body = {"model": "gpt-6.1-terra", "input": PROMPT.format(address=address), "text": {"format": wanted}}
            return self.call(service, "POST", "/responses", json=body, **options)
        body = {"campaign_id": CAMPAIGN, "leads": [{"email": address, "first_name": "Ida"}]}
        return self.call(service, "POST", "/api/v2/leads/add", json=body, **options)

    def probe(self, service: str, **options: Any) -> requests.Response:
        paths = {
            "apollo": "/users/api_profile?include_credit_usage=true",
            "millionverifier": "/api/v3/credits",
            "perplexity": "/v1/models",
            "openai": "/models",
            "instantly": "/api/v2/workspaces/current",
        }
        return self.call(service, "GET", paths[service], **options)

    def control(self, method: str, path: str, **options: Any) -> Any:
        response = self.request(method, f"{self.url}/_control/{path}", timeout=10, **options)
        response.raise_for_status()
        return response.json()

    def break_(self, service: str, fault: str, **setting: Any) -> None:
        self.control("PUT", service, json={"latency_ms": 0, **setting, "fault": fault})

    def calls(self, service: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "calls")
        return [call for call in found if service in (None, call["service"])]

    def bill(self, service: str) -> dict[str, Any]:
        bill: dict[str, dict[str, Any]] = self.control("GET", "bill")
        return bill[service]
