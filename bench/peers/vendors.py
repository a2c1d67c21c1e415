"""The four paid calls of a lead are made here, the same for every peer: plain HTTP, over a connection of the thread."""

import os
import threading
from itertools import pairwise
from typing import Any

import requests

STEPS = ("verify", "research", "write", "push")
FOLLOWS = dict(pairwise(STEPS))
SANDBOX = os.environ.get("BENCH_SANDBOX_URL", "")
local = threading.local()


def ask(step: str, lead: int) -> dict[str, Any]:
    """Make one paid call and return its answer. Raises requests.RequestException."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.trust_env = False  # else it looks for proxies and passwords before each call
        local.session.headers["Authorization"] = "Bearer sandbox"
    email = f"ida{lead}+ok@acme{lead}.example"
    if step == "verify":
        parameters = {"api": "sandbox", "email": email, "timeout": "10"}
        answer = local.session.get(f"{SANDBOX}/millionverifier/api/v3/", params=parameters, timeout=10)
    else:
        path, body = request(step, lead, email)
        answer = local.session.post(f"{SANDBOX}/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def request(step: str, lead: int, email: str) -> tuple[str, dict[str, Any]]:
    """Return path and body of a POST."""
    about = f"Ida{lead} Locke, CTO at Acme {lead}"
    prompt = {"instructions": "Answer in two sentences.", "max_output_tokens": 4000}
    if step == "research":
        return "perplexity/v1/agent", {**prompt, "model": "openai/gpt-5.4-mini", "input": f"Research {about}"}
    if step == "write":
        return "openai/v1/responses", {**prompt, "model": "gpt-6.1-terra", "input": f"Write to {about}", "store": False}
    person = {"email": email, "first_name": f"Ida{lead}", "last_name": "Locke", "company_name": f"Acme {lead}"}
    return "instantly/api/v2/leads/add", {"campaign_id": os.environ["BENCH_CAMPAIGN"], "leads": [person]}
