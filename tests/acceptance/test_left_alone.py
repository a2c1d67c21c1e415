"""Nothing recovers by itself: not after a timeout, not after a restart of every process and of both servers."""

import time

import pytest

from local.processes import Child

APPS = ("workers", "supervisor", "web", "sandbox")


def restart(children: list[Child]) -> None:
    for child in children:
        child.stop()
    for child in reversed(children):
        child.start()


@pytest.mark.processes
def test_a_breaker_left_alone_for_ten_timeouts_and_a_restart_of_everything_is_still_not_closed(drill):
    stack = drill.stack
    drill.database.execute("UPDATE breakers SET reset_timeout = 1, reset_timeout_ceiling = 1")
    drill.command("campaign", "create", "Left alone", "--apollo-url", "https://app.apollo.io/#/people?personTitles[]=CTO",
                  "--max-leads", "50", "--start")  # fmt: skip
    drill.control("millionverifier", {"fault": "bad_key"})
    drill.until("the breaker opens", lambda: drill.value("SELECT count(*) FROM incidents") == 1)
    drill.control("millionverifier", {"fault": "none"})
    began = time.monotonic()
    drill.until(
        "the supervisor has probed it in half-open, successfully",
        lambda: "half_open" in str(drill.command("breaker", "status")["breakers"]["millionverifier"]),
    )
    children = [stack.child(name) for name in (*APPS, "valkey", "postgres")]
    drill.database.close()
    restart(children)
    drill.connect()
    drill.until("ten reset timeouts have passed", lambda: time.monotonic() - began > 10)
    drill.until(
        "the restarted supervisor has compared the stores",
        lambda: drill.command("breaker", "status")["breakers"]["millionverifier"]["circuit_state"] != "lost",
    )

    state = drill.command("breaker", "status")["breakers"]["millionverifier"]
    assert state["circuit_state"] in ("open", "half_open")
    assert all(breaker["queue_paused"] for breaker in drill.command("breaker", "status")["breakers"].values())
    assert drill.rows("SELECT DISTINCT status FROM campaigns") == [("PAUSED",)]
    assert drill.value("SELECT count(*) FROM incidents WHERE reset_at IS NULL") == 1
    assert drill.value("SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'PROCESSING')") == 0

    # And it is not stuck either: two manual steps bring it all back.
    drill.until("the workers sign again", lambda: drill.stack.manage("queue", "plan").stdout.count("pass") >= 6)
    drill.command("breaker", "reset", "millionverifier", "--reason", "key renewed")
    assert drill.command("queue", "resume", "--reason", "key renewed")["campaigns_resumed"] == 1
    drill.until("the campaign ends", lambda: drill.value("SELECT status FROM campaigns") == "COMPLETED")
