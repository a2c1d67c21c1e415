"""An account of the company's provider is bound to a user here."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Identity(models.Model):
    """A row binds one user to one subject of the provider; `checked_at`: it last said that the person is welcome.

    From `check_after` on the next request or token of the person asks it again, by the refresh token (encrypted).
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identity")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    session_id = models.CharField(max_length=255, blank=True, help_text="The provider's, of the latest login.")
    refresh_token = models.TextField(blank=True)
    bound_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(default=timezone.now)
    check_after = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "identities"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_bound_once")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
