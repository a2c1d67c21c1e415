"""What Django looks for here: this app's label holds the API's tokens."""

from api.models import ApiToken

__all__ = ["ApiToken"]
