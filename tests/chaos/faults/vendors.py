"""The vendors fail in all their ways, alone, two at once, for a moment or until the breaker opens."""

import time

from tests.chaos.faults import fault
from tests.chaos.faults.stores import lose

# The campaigns come from files, so nobody asks Apollo.
VENDORS = ("millionverifier", "perplexity", "openai", "instantly")
LATENCY = {"latency_ms": 80}


def ill(experiment, service, *, seconds=10.0, **setting):
    """Let a vendor fail until everything is paused, at most so long, then be well again."""
    incidents = experiment.incidents()
    experiment.books.control(service, LATENCY | setting)
    experiment.wait(lambda: experiment.incidents() > incidents, seconds)
    experiment.books.control(service, LATENCY)


def breaking(name, **options):
    @fault("vendor", name.replace("_", " "), **options)
    def act(experiment, chance):
        ill(experiment, chance.choice(VENDORS), fault=name)


breaking("server_error", weight=4, short=True)
breaking("timeout")
breaking("connection_reset", weight=3)
breaking("bad_key")
breaking("quota_exhausted")
breaking("malformed")
breaking("html")


@fault("vendor", "two fail at once")
def two_at_once(experiment, chance):
    first, second = chance.sample(VENDORS, 2)
    experiment.books.control(second, LATENCY | {"fault": "server_error"})
    ill(experiment, first, fault="connection_reset")
    experiment.books.control(second, LATENCY)


@fault("vendor", "every other call fails", weight=3)
def half(experiment, chance):
    ill(experiment, chance.choice(VENDORS), seconds=4, fault="server_error", share=0.5)


@fault("vendor", "flaps")
def flap(experiment, chance):
    service = chance.choice(VENDORS)
    for _ in range(4):
        ill(experiment, service, seconds=chance.uniform(0.1, 0.5), fault="server_error")
        time.sleep(chance.uniform(0.1, 0.5))


@fault("vendor", "slow: answers just within the timeout")
def slow(experiment, chance):
    ill(experiment, chance.choice(VENDORS), seconds=4, latency_ms=2500)


@fault("vendor", "answers after our timeout, and charges")
def late(experiment, chance):
    ill(experiment, chance.choice(VENDORS), seconds=9, latency_ms=6000)


@fault("vendor", "throttles")
def throttle(experiment, chance):
    ill(experiment, chance.choice(VENDORS), seconds=3, fault="rate_limit", retry_after=1)


@fault("vendor", "ill again while it comes back")
def ill_again(experiment, chance):
    service = chance.choice(VENDORS)
    ill(experiment, service, fault="server_error")
    experiment.reset_all(experiment.ann)
    experiment.resume(experiment.ann, all_at_once=False)
    ill(experiment, service, fault="server_error")


@fault("vendor", "an answer lost on its way, charged", weight=6, times=5, short=True)
def lose_answers(experiment, chance):
    return lose(experiment, "sandbox", b"HTTP/1.1 200", chance.randint(1, 3))


@fault("vendor", "all connections cut", times=3)
def cut(experiment, chance):
    experiment.house.wires["sandbox"].cut()
