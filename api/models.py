"""Tokens for scripts: knox's, hashed at rest and expiring, with a name so that one knows which to revoke."""

from django.db import models
from knox.models import AbstractAuthToken


class ApiToken(AbstractAuthToken):
    """One script's way in, with the rights of its user. Only its hash is stored; `token_key` is its beginning."""

    name = models.CharField(max_length=100, help_text="Which script or machine uses it.")

    class Meta:
        app_label = "config"
        db_table = "api_tokens"
        verbose_name = "API token"
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"
