"""Django looks here for the API's tokens, since this app's label holds them."""

from api.models import ApiToken

__all__ = ["ApiToken"]
