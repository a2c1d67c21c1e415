"""Which processes count as alive: everybody asks the same question, of the database's clock."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import SILENCE, Process
from tests.builders import ago, make_process
from workers import liveness

pytestmark = pytest.mark.django_db


def test_a_process_is_alive_as_long_as_it_was_not_silent() -> None:
    signed_lately = make_process(seen_at=ago(SILENCE - 2))
    make_process(seen_at=ago(SILENCE + 2))
    assert list(Process.objects.alive()) == [signed_lately]


def test_a_host_whose_clock_is_wrong_declares_nobody_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    process = make_process()
    ahead = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: ahead)
    assert list(Process.objects.alive()) == [process]


def test_signs_come_often_enough_that_one_that_is_late_kills_nobody() -> None:
    assert liveness.INTERVAL * 4 <= SILENCE
