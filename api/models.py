"""Tokens for scripts are knox's, hashed at rest and expiring; ours also have a name, to know which to revoke."""

from django.db import models
from knox.models import AbstractAuthToken


class ApiToken(AbstractAuthToken):
    """A token lets one script in with the rights of its user. Only its hash is stored; `token_key` is its beginning."""

    name = models.CharField(max_length=100, help_text="Which script or machine uses it.")

    class Meta:
        app_label = "config"
        db_table = "api_tokens"
        verbose_name = "API token"
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"
