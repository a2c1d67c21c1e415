"""Instantly's errors have one shape, and its listings take a limit and a cursor."""

from integrations.sandbox.exchange import Answer, Request, Unreadable
from integrations.sandbox.instantly import pages
from integrations.sandbox.instantly.workspace import Item

NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
DEFAULT_LIMIT, MAX_LIMIT = 10, 100


def error(status: int, message: str) -> Answer:
    return Answer.json(status, {"statusCode": status, "error": NAMES[status], "message": message})


def not_found() -> Answer:
    return error(404, "Resource not found")


def found(item: Item | None) -> Answer:
    """Answer with the item, or that there is none."""
    return Answer.json(200, item) if item else not_found()


def listing(items: list[Item], request: Request) -> Answer:
    """Answer with the page that the query asks for. Raises Unreadable for a limit that the document does not allow."""
    text = request.parameter("limit") or str(DEFAULT_LIMIT)
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise Unreadable(f"querystring/limit must be integer between 1 and {MAX_LIMIT}")
    return Answer.json(200, pages.page(items, int(text), request.parameter("starting_after") or ""))


def owner(request: Request) -> str:
    """Return the segment of the path before the last, where a route has its `{id}` and a verb after it."""
    return request.path.rstrip("/").split("/")[-2]
