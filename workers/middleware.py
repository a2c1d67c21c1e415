"""A worker process says that it is alive, by way of Dramatiq's middleware. Nothing of correctness lives here.

Dramatiq swallows errors of middleware, so a gate in one would fail open.
"""

import logging
import threading
from typing import Any

import dramatiq

logger = logging.getLogger(__name__)


class Liveness(dramatiq.Middleware):
    """Keeps this process's row in `processes` fresh, from a thread and a connection of its own."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        from django.conf import settings

        logger.info("Worker in %s mode", settings.MODE.upper())
        queues = sorted(worker.consumer_whitelist or broker.get_declared_queues())
        self.thread = threading.Thread(target=self.beat, args=(queues,), name="liveness", daemon=True)
        self.thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        self.stopping.set()
        if self.thread:
            self.thread.join(timeout=5)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Add what was counted since the last sign, while the last calls ended."""
        from django.db import connection

        from workers import liveness

        liveness.add_counts()
        connection.close()

    def beat(self, queues: list[str]) -> None:
        """Sign until told to stop, then sign off; a database that is away is tried again."""
        from django.db import DatabaseError, connection

        from circuitbreakers import broker, postgresql
        from workers import liveness, supervisor, telling

        registered, stand_in = False, telling.StandIn()
        while True:
            stop = self.stopping.is_set()
            try:
                if stop:
                    liveness.sign_off()
                elif registered:
                    liveness.sign("worker", queues=queues)
                else:
                    liveness.register("worker", queues=queues)
                    registered = True
                postgresql.Availability.answered(wrote=True)
                if not stop:
                    stand_in.look(supervisor.in_background)
            except DatabaseError as error:
                logger.warning("Sign of life not written: %s", error)
                connection.close()
            if stop:
                connection.close()
                return
            broker.look_again()
            self.stopping.wait(liveness.INTERVAL)
