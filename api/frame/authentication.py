"""A script says by its token who it is. The framework itself imports this, so it imports none of our views."""

from django.contrib.auth.models import AbstractBaseUser
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.models import AbstractAuthToken
from rest_framework.exceptions import AuthenticationFailed

from accounts import access


class TokenAuthentication(KnoxAuthentication):
    """Reads `Authorization: Token hf_...`; a header that is no token at all is a wrong token, not a crash."""

    def authenticate_credentials(self, token: bytes) -> tuple[AbstractBaseUser, AbstractAuthToken]:
        if not token.isascii() or b"\0" in token:
            raise AuthenticationFailed("Invalid token.")
        user, row = super().authenticate_credentials(token)
        if not access.still_welcome(user):
            raise AuthenticationFailed("Invalid token.")
        return user, row
