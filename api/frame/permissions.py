"""Each view says which permission each of its methods needs. What it does not name is refused."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

EVERYBODY = "everybody"
LOGIN = "any login"
NOBODY = "nobody"


def required(view: Any, method: str) -> str | None:
    """Return the permission that `method` needs on this view; None when nobody has said."""
    needs: dict[str, str] = getattr(view, "required", {})
    return needs.get("GET" if method == "HEAD" else method)


class Required(BasePermission):
    """Asks for the permission that the view's `required` names for the method, and denies by default."""

    def has_permission(self, request: Request, view: Any) -> bool:
        method = request.method or ""
        need = required(view, method)
        if need == EVERYBODY or method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # for what the view does not do the answer is 405, whoever asks
        user = request.user
        if not (user and user.is_authenticated) or need is None or need == NOBODY:
            return False
        return need == LOGIN or user.has_perm(need)
