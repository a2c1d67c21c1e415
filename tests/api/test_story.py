"""docs/api.md, line by line as it is printed, against a whole Holdfast of real processes."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.drill import ENVIRONMENT
from local.stack import ROOT, Stack

DOCUMENT = ROOT / "docs" / "api.md"
PASSWORD = "correct horse battery"


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("curl"), reason="the document's commands need curl")
def test_the_story_of_the_document_runs_as_it_is_printed(tmp_path: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 10
    script = tmp_path / "story.sh"
    script.write_text("set -euo pipefail\n" + "".join(blocks))
    with Stack(tmp_path / "stack", env=ENVIRONMENT, processes=1, threads=8) as stack:
        stack.python("-m", "local.admin_login", check=True, ADMIN_PASSWORD=PASSWORD)
        done = subprocess.run(
            ["bash", str(script)],
            cwd=ROOT,
            env={**os.environ, "WEB_URL": stack.web_url, "SANDBOX_URL": stack.sandbox_url, "PASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    told = done.stdout
    assert done.returncode == 0, f"{told}\n{done.stderr}"
    assert "System pause: openai circuit breaker opened" in told
    assert "Cannot resume queue: Circuit breakers still open for: openai (" in told
    assert "Circuit breaker reset for openai - service manually resumed" in told
    assert "Queue resumed successfully: " in told
    assert "token_revoked" in told
