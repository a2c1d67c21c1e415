"""The cache holds plain values: whoever can write to it can spoil a number, and run nothing."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_redis import get_redis_connection  # type: ignore[import-untyped]

from console import plan, shared_snapshot
from tests.builders import make_campaign, make_fleet

PAGES = ("/admin/", "/admin/recovery/", "/admin/live/?page=dashboard", "/admin/live/?page=recovery", "/admin/spend/",
         "/api/v1/campaigns", "/api/v1/incidents")  # fmt: skip


class Bomb:
    """As a pickle it makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def values() -> dict[str, bytes]:
    cache = get_redis_connection("default")
    return {key.decode(): cache.get(key) for key in cache.keys("*")}


@pytest.fixture
def empty_cache() -> None:
    get_redis_connection("default").flushdb()


def use(client: Client) -> None:
    for page in PAGES:
        assert client.get(page).status_code in (200, 204)
    client.post("/admin/login/", {"username": "nobody", "password": "wrong"})
    shared_snapshot.forget()
    plan.forget()


def test_no_value_in_the_cache_is_a_pickle(empty_cache: None, admin_client: Client) -> None:
    make_fleet()
    make_campaign()
    use(admin_client)
    found = values()
    assert found, "nothing was put into the cache"
    assert [key for key, value in found.items() if value.startswith(b"\x80") or b"csnapshot" in value] == []


@pytest.mark.parametrize("protocol", range(6))
def test_a_planted_pickle_is_not_run_and_breaks_no_page(
    protocol: int, empty_cache: None, admin_client: Client, tmp_path: Path
) -> None:
    make_fleet()
    use(admin_client)
    bomb = tmp_path / "ran"
    keys = {
        *values(),
        *(
            f":1:{key}"
            for key in (shared_snapshot.KEY, shared_snapshot.CHANGED, f"{shared_snapshot.KEY}:making", "console:plan")
        ),
    }
    for key in keys - {key for key in keys if key.startswith("throttle:")}:
        get_redis_connection("default").set(key, pickle.dumps((9e9, Bomb(bomb)), protocol))
    for page in PAGES:
        assert admin_client.get(page).status_code in (200, 204)
    assert not bomb.exists()


@pytest.mark.parametrize("bytes_", [b"{}", b'"x"', b"NaN", b"Infinity", b"1e400", b"[1]", b"\xff", b"9" * 5000])
def test_a_change_at_no_time_is_none(bytes_: bytes, empty_cache: None) -> None:
    get_redis_connection("default").set(f":1:{shared_snapshot.CHANGED}", bytes_)
    assert shared_snapshot.changed() == 0


def test_a_change_in_another_process_is_seen_at_once(admin_client: Client) -> None:
    shared_snapshot.forget()
    assert shared_snapshot.current().campaigns == {}
    mine = shared_snapshot._mine
    make_campaign()
    shared_snapshot.forget()  # there
    shared_snapshot._mine = mine  # here
    assert shared_snapshot.current().campaigns == {"RUNNING": 1}
