"""How far credits, plans and models reach: the sentence, the numbers behind it, and when it is worth an alarm."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from campaigns import first_leads, foresight, lifecycle, recovery, resume_plan
from campaigns.foresight import Usage, forecast
from campaigns.models import Campaign, Lead, OutlookReading
from campaigns.moves import MoveRefused, warnings_of
from campaigns.tallies import CallTally
from circuitbreakers.services import SERVICES
from tests.breakers import ANN, reset, trip
from tests.builders import ago, make_campaign, make_fleet

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)  # a Tuesday
NOTHING = Usage()


def reading(service: str = "millionverifier", **fields: Any) -> OutlookReading:
    return OutlookReading(**{"service": service, "asked_at": NOW, "read_at": NOW, **fields})


def credits_left(number: int) -> OutlookReading:
    return reading(left=Decimal(number), unit="credits")


def test_credits_are_told_in_leads_and_in_time() -> None:
    found = forecast(credits_left(3740), Usage(Decimal("1.1"), Decimal(34)), NOW)
    assert found.sentence == (
        "3,740 credits left: enough for 3,400 leads at the present yield, "
        "at the present pace until Sunday 06 December 02:00 UTC"
    )
    assert (found.leads, found.hours, found.ends_at) == (3400, 110, datetime(2026, 12, 6, 2, tzinfo=UTC))


def test_without_any_use_so_far_only_what_is_left_is_told() -> None:
    found = forecast(credits_left(941), NOTHING, NOW)
    assert (found.sentence, found.leads, found.hours) == ("941 credits left", None, None)


def test_nothing_left_ends_now() -> None:
    found = forecast(credits_left(0), NOTHING, NOW)
    assert (found.sentence, found.leads, found.hours, found.told_at) == ("no credits left", 0, 0, 2)


def test_what_lasts_for_years_has_no_end() -> None:
    found = forecast(credits_left(10**9), Usage(Decimal(1), Decimal("0.001")), NOW)
    assert (found.ends_at, found.alarming) == (None, False)


@pytest.mark.parametrize(
    ("ends", "told_at", "alarming"),
    [
        (date(2026, 12, 9), None, False),
        (date(2026, 12, 8), 168, True),
        (date(2026, 12, 3), 168, True),
        (date(2026, 12, 2), 24, True),
        (date(2026, 12, 1), 2, True),
    ],
)
def test_the_end_of_a_model_is_told_a_week_a_day_and_two_hours_before(
    ends: date, told_at: int | None, alarming: bool
) -> None:
    found = forecast(reading("openai", model="gpt-9", ends=ends), NOTHING, NOW)
    assert found.sentence == f"model gpt-9 is shut down on {ends}"
    assert (found.told_at, found.alarming) == (told_at, alarming)


def test_a_model_without_an_end_and_a_service_that_says_nothing_are_told_as_such() -> None:
    assert forecast(reading("openai", model="gpt-9"), NOTHING, NOW).sentence == (
        "model gpt-9, of which no end is announced"
    )
    assert forecast(reading("instantly"), NOTHING, NOW).sentence == "it does not say what is left"


def test_a_service_that_cannot_be_read_says_so_beside_what_was_known() -> None:
    one = credits_left(50)
    one.problem = "HTTP 503"
    found = forecast(one, NOTHING, NOW)
    assert (found.sentence, found.readable) == ("50 credits left; cannot be read: HTTP 503", False)


def test_a_reading_that_grew_old_says_since_when() -> None:
    one = credits_left(50)
    one.asked_at = NOW - timedelta(hours=3)
    assert forecast(one, NOTHING, NOW).sentence.endswith("; not read since 2026-12-01 09:00 UTC")


def use(service: str, day: date, used: str) -> None:
    zeros = dict.fromkeys(("failed", "unknown", "tokens_in", "tokens_out", "cost_usd", "may_be_charged"), 0)
    CallTally.objects.create(
        campaign_id=1, service=service, day=day, number=1, credits=Decimal(used), may_cost_usd=0, **zeros
    )


@pytest.mark.django_db
def test_yield_and_pace_are_those_of_the_ledger() -> None:
    use("instantly", date(2026, 11, 10), "100")  # pushed
    use("apollo", date(2026, 11, 10), "150")
    use("apollo", date(2026, 10, 1), "9999")  # too long ago
    use("apollo", date(2026, 12, 1), "36")
    found = foresight.usages(NOW)["apollo"]
    assert found == Usage(Decimal("1.86"), Decimal(1))  # 186 for 100 pushed; 36 in 36 hours
    assert foresight.usages(NOW)["openai"] == NOTHING


@pytest.mark.django_db
def test_a_service_that_was_never_asked_says_so() -> None:
    credits_left(50).save()
    found = {one.service: one.sentence for one in foresight.all_forecasts(NOW)}
    assert found == {**dict.fromkeys(SERVICES, "not read yet"), "millionverifier": "50 credits left"}


@pytest.mark.django_db
def test_a_resume_is_warned_of_what_is_not_enough_for_all_that_waits() -> None:
    use("instantly", date(2026, 11, 10), "100")
    use("millionverifier", date(2026, 11, 10), "100")
    credits_left(50).save()
    assert foresight.warnings(NOW, waiting=50) == []
    (warning,) = foresight.warnings(NOW, waiting=51)
    assert warning == "millionverifier: 50 credits left: enough for 50 leads at the present yield"


def enough_for(leads: int) -> None:
    """The verification's credits are enough for so many leads, as was read a moment ago."""
    use("instantly", timezone.now().date(), "100")
    use("millionverifier", timezone.now().date(), "100")
    now = timezone.now()
    reading(left=Decimal(leads), unit="credits", asked_at=now, read_at=now).save()


@pytest.fixture
def refusing(settings: Settings) -> None:
    """More than ten leads beyond what is left are refused, and fifty are left."""
    settings.REFUSE_UNFINISHABLE = 10
    enough_for(50)


def campaign_of(leads: int, **fields: Any) -> Campaign:
    campaign = make_campaign("CREATED", **fields)
    Lead.objects.bulk_create(Lead(campaign=campaign, email=f"p{n}@acme.example") for n in range(leads))
    return campaign


@pytest.mark.django_db
@pytest.mark.usefixtures("in_step", "refusing")
def test_a_start_that_cannot_be_finished_is_refused_above_the_setting() -> None:
    assert lifecycle.start(campaign_of(60).pk, actor=ANN).status == "RUNNING"
    campaign = campaign_of(61)
    with pytest.raises(MoveRefused) as caught:
        lifecycle.start(campaign.pk, actor=ANN)
    assert str(caught.value) == (
        f"Campaign {campaign.pk} cannot be finished: millionverifier has enough for 50 of 61 leads. {foresight.MEND}"
    )
    campaign.refresh_from_db()
    assert (campaign.status, campaign.job_rows.count()) == ("CREATED", 0)


@pytest.mark.django_db
@pytest.mark.usefixtures("in_step", "refusing")
def test_first_leads_that_can_be_finished_begin_and_the_others_are_refused() -> None:
    campaign = lifecycle.start(campaign_of(200).pk, actor=ANN, first=10)
    assert campaign.status == "RUNNING"
    with pytest.raises(MoveRefused, match="enough for 50 of 200 leads"):
        first_leads.go_on(campaign.pk, actor=ANN)
    campaign.refresh_from_db()
    assert campaign.first_leads == 10


@pytest.mark.django_db
@pytest.mark.usefixtures("in_step", "refusing")
def test_whom_a_search_may_find_counts() -> None:
    with pytest.raises(MoveRefused, match="50 of 400 leads"):
        lifecycle.start(campaign_of(3, search={"q": "x"}, max_leads=400).pk, actor=ANN)


@pytest.mark.django_db
@pytest.mark.usefixtures("in_step", "refusing")
@pytest.mark.parametrize(
    "change", [{"problem": "HTTP 503"}, {"asked_at": ago(3 * 3600)}, {"left": None}, {"left": Decimal(10**6)}]
)
def test_an_outlook_that_cannot_be_read_is_old_or_says_nothing_blocks_nothing(change: dict[str, Any]) -> None:
    OutlookReading.objects.update(**change)
    assert lifecycle.start(campaign_of(61).pk, actor=ANN).status == "RUNNING"


@pytest.mark.django_db
@pytest.mark.usefixtures("in_step")
def test_without_the_setting_a_start_is_only_warned_of() -> None:
    enough_for(0)
    campaign = lifecycle.start(campaign_of(61).pk, actor=ANN)
    (warning,) = warnings_of(campaign)
    assert "millionverifier: no credits left" in warning


@pytest.mark.django_db
@pytest.mark.usefixtures("in_step", "refusing")
def test_a_resume_lacks_its_outlook_and_says_what_to_do() -> None:
    make_fleet()
    campaign = lifecycle.start(campaign_of(61, instantly_campaign_id="").pk, actor=ANN, first=9)
    Campaign.objects.filter(pk=campaign.pk).update(first_leads=None, first_left=None)
    trip()
    reset()
    plan = resume_plan.plan()
    item = plan.prerequisites[-1]
    assert (item.name, item.ok, item.mend) == ("outlook", False, foresight.MEND)
    with pytest.raises(recovery.ResumeRefused, match="not enough: millionverifier has enough for 50 of 61 leads"):
        recovery.resume(actor=ANN)
    Campaign.objects.filter(pk=campaign.pk).update(first_leads=9, first_left=9)  # of these it has enough
    assert resume_plan.plan().ready
    assert recovery.resume(actor=ANN).campaigns_resumed == 1


def test_the_age_of_the_prices_is_said(settings: Settings) -> None:
    settings.PRICES_AT = date(2026, 11, 25)
    assert foresight.price_age(NOW) == "prices are those of 2026-11-25, 6 days old"
    settings.PRICES_AT = date(2026, 11, 30)
    assert foresight.price_age(NOW) == "prices are those of 2026-11-30, 1 day old"
    settings.PRICES_AT = None
    assert foresight.price_age(NOW) == "prices are your own, of PRICES_JSON"
