"""Accounts says who may sign in: company logins, the second factor of local ones, and the break-glass login."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import break_glass, checks  # noqa: F401  (the checks register themselves)

        user_logged_in.connect(break_glass.tell_of_login, dispatch_uid="break_glass")
