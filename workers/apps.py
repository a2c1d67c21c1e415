"""This app hands out the work that campaigns announce."""

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        from campaigns.estimate import register_prices
        from circuitbreakers.budget_counters import register_books
        from circuitbreakers.signals import one_let_through, switch_sealed
        from workers.actors import send_once
        from workers.books import LedgerBooks
        from workers.kinds import most_for_one
        from workers.resend import forget_sent

        switch_sealed.connect(forget_sent, dispatch_uid="workers.resend")
        one_let_through.connect(send_once, dispatch_uid="workers.try_one")
        register_books(LedgerBooks())
        register_prices(most_for_one)
