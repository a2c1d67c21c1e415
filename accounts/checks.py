"""System checks of who may sign in."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def somebody_gets_in_without_the_company(**kwargs: Any) -> list[CheckMessage]:
    """A company login without a break-glass user leaves no way in while the provider is away."""
    if settings.COMPANY_LOGIN is None or settings.BREAK_GLASS_USER:
        return []
    hint = "Make a user with `manage.py createsuperuser`, and name it there."
    return [Warning("OIDC_ISSUER is set, and BREAK_GLASS_USER is not.", hint=hint, id="holdfast.W20")]
