"""PostgreSQL and Valkey are stopped, frozen, emptied, put back, and cut off."""

import contextlib
import shutil
import signal
import time

import psycopg
import redis

from local.embedded import USER
from tests.chaos.faults import fault

# Seconds until the books have all that PostgreSQL lost: the longest lease, and what workers.lost_calls adds.
LOOKED_FOR = 165 + 3 * 30


def admin(experiment, sql):
    """Run a statement as the server's own superuser, past the wires."""
    with psycopg.connect(experiment.house.admin_url, autocommit=True, connect_timeout=10) as session:
        session.execute(sql)


def valkey(experiment):
    return redis.Redis(port=experiment.house.ports["valkey"], socket_timeout=10)


@fault("PostgreSQL", "all sessions terminated", weight=5, times=10, short=True)
def terminate(experiment, chance):
    sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"
    admin(experiment, sql)


@fault("PostgreSQL", "connections cut", weight=5, times=10, short=True)
def cut_postgres(experiment, chance):
    experiment.house.wires["postgres"].cut()


@fault("PostgreSQL", "the answer to a COMMIT lost", weight=5, times=10, short=True)
def lose_commit(experiment, chance):
    return lose(experiment, "postgres", b"COMMIT\x00", chance.randint(1, 3))


@fault("PostgreSQL", "the answer to any statement lost", weight=5, times=10, short=True)
def lose_statement(experiment, chance):
    return lose(experiment, "postgres", b"", chance.randint(1, 4))


@fault("PostgreSQL", "refuses connections")
def refuse_postgres(experiment, chance):
    refuse(experiment, "postgres", chance)


@fault("PostgreSQL", "frozen", weight=3)
def freeze_postgres(experiment, chance):
    freeze(experiment, "postgres", chance.choice((chance.uniform(0.3, 3), chance.uniform(8, 15))))


@fault("PostgreSQL", "slow")
def slow_postgres(experiment, chance):
    slow(experiment, "postgres", chance.uniform(0.02, 0.2))


@fault("PostgreSQL", "restarted")
def restart_postgres(experiment, chance):
    experiment.house.restart("postgres")


@fault("PostgreSQL", "SIGKILL, and its recovery")
def kill_postgres(experiment, chance):
    experiment.house.restart("postgres", signal.SIGKILL)


@fault("PostgreSQL", "a standby is promoted that lacks the last seconds", weight=3)
def promote(experiment, chance):
    """A copy of some seconds ago takes the server's place, as a standby does that is as far behind."""
    house = experiment.house
    child, folder = house.child("postgres"), house.folder / "postgres"
    copy = house.folder / "standby"
    backup(house, folder, copy)
    if chance.random() < 0.5:
        experiment.open(chance)
        if chance.random() < 0.5:
            experiment.reset_all(experiment.ann)
    else:
        time.sleep(chance.uniform(1, 4))
    with child.lock:
        child.kill()
        shutil.rmtree(folder)
        copy.rename(folder)
        time.sleep(1)  # no promotion is done within the second of a row that it has lost
        child.start()
    # Only then is what was under way looked for in Redis.
    experiment.later(LOOKED_FOR, lambda: None)


def backup(house, folder, copy):
    """Copy a running server: its files, then the log that makes them whole."""
    shutil.rmtree(copy, ignore_errors=True)
    with psycopg.connect(house.admin_url, autocommit=True) as session:
        session.execute("SELECT pg_backup_start('standby', true)")
        shutil.copytree(
            folder, copy, ignore=lambda at, names: {"postmaster.pid", "pg_wal"} & {*names}, copy_function=still
        )
        label = session.execute("SELECT labelfile FROM pg_backup_stop(false)").fetchone()[0]
    shutil.copytree(folder / "pg_wal", copy / "pg_wal", copy_function=still)
    (copy / "backup_label").write_text(label, encoding="utf-8")


def still(source, target):
    """Copy a file, unless it has gone meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


@fault("PostgreSQL", "read-only for some seconds")
def read_only(experiment, chance):
    admin(experiment, f"ALTER ROLE {USER} SET default_transaction_read_only = on")
    terminate(experiment, chance)
    time.sleep(chance.uniform(1, 4))
    admin(experiment, f"ALTER ROLE {USER} RESET default_transaction_read_only")
    terminate(experiment, chance)


@fault("Valkey", "connections cut", weight=5, times=10, short=True)
def cut_valkey(experiment, chance):
    experiment.house.wires["valkey"].cut()


@fault("Valkey", "the answer to any command lost", weight=5, times=10, short=True)
def lose_answer(experiment, chance):
    return lose(experiment, "valkey", b"", chance.randint(1, 4))


@fault("Valkey", "scripts flushed", weight=4, times=10, short=True)
def flush_scripts(experiment, chance):
    with valkey(experiment) as client:
        client.script_flush()


@fault("Valkey", "refuses connections")
def refuse_valkey(experiment, chance):
    refuse(experiment, "valkey", chance)


@fault("Valkey", "frozen", weight=3)
def freeze_valkey(experiment, chance):
    freeze(experiment, "valkey", chance.choice((chance.uniform(0.3, 3), chance.uniform(8, 15))))


@fault("Valkey", "SIGKILL, with what its file has", weight=3)
def kill_valkey(experiment, chance):
    experiment.house.restart("valkey", signal.SIGKILL)


@fault("Valkey", "emptied by FLUSHALL", weight=3)
def flush_valkey(experiment, chance):
    with valkey(experiment) as client:
        client.flushall()


@fault("Valkey", "restarted empty", weight=3)
def empty_valkey(experiment, chance):
    back_to(experiment, None)


@fault("Valkey", "restarted from a file of some seconds ago", weight=3)
def old_valkey(experiment, chance):
    house = experiment.house
    copy = house.folder / "valkey-before"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(house.folder / "valkey", copy)
    if chance.random() < 0.5:
        experiment.open(chance)
        if chance.random() < 0.5:
            experiment.reset_all(experiment.ann)
    else:
        time.sleep(chance.uniform(1, 4))
    back_to(experiment, copy)


@fault("Valkey", "full: it refuses to write")
def full_valkey(experiment, chance):
    with valkey(experiment) as client:
        client.config_set("maxmemory", 1)
        time.sleep(chance.uniform(1, 4))
        client.config_set("maxmemory", 0)


@fault("both stores", "restarted at once")
def restart_both(experiment, chance):
    experiment.house.child("valkey").kill()
    experiment.house.restart("postgres")
    experiment.house.child("valkey").start()


@fault("both stores", "frozen at once")
def freeze_both(experiment, chance):
    wires = [experiment.house.wires[name] for name in ("postgres", "valkey")]
    for wire in wires:
        wire.freeze()
    time.sleep(chance.uniform(0.5, 6))
    for wire in wires:
        wire.thaw()


def lose(experiment, name, pattern, times):
    """Lose so many answers, or those that come within half a second; False if none came."""
    wire = experiment.house.wires[name]
    before = wire.lost
    wire.lose(times, pattern)
    time.sleep(0.5)
    wire.lose(0)
    return wire.lost > before


def freeze(experiment, name, seconds):
    wire = experiment.house.wires[name]
    wire.freeze()
    time.sleep(seconds)
    wire.thaw()


def refuse(experiment, name, chance):
    wire = experiment.house.wires[name]
    wire.refuses = True
    wire.cut()
    time.sleep(chance.uniform(0.5, 4))
    wire.refuses = False


def slow(experiment, name, seconds):
    wire = experiment.house.wires[name]
    wire.delay = seconds
    time.sleep(4)
    wire.delay = 0.0


def back_to(experiment, copy):
    """Stop Valkey, put back the folder that was copied (None: an empty one), start it."""
    child, folder = experiment.house.child("valkey"), experiment.house.folder / "valkey"
    with child.lock:
        child.kill()
        shutil.rmtree(folder)
        if copy:
            copy.rename(folder)
        else:
            folder.mkdir(mode=0o700)
        child.start()
