"""The sandbox is one local HTTP server that answers as the five vendors do, fails on request, and keeps a bill.

`manage.py sandbox` runs it; a test starts one in its own process:

    with Sandbox(port=0) as sandbox:
        requests.get(f"{sandbox.url}/openai/v1/models", headers={"Authorization": "Bearer any"})

Where things are: `server.py` holds the sockets, `vendor.py` the way of one call, `apollo.py` and its four neighbours
what each vendor says, `faults.py` how they fail, `ledger.py` what they charged, `people.py` whom they know. Nothing
here needs Django, a database or Redis, and nothing outlives the process.
"""

from integrations.sandbox.loopback import NotLoopback
from integrations.sandbox.server import Sandbox

__all__ = ["NotLoopback", "Sandbox"]
