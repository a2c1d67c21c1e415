"""Every vendor's failure becomes one error, which is of one of eight types."""

from enum import StrEnum

from integrations import reading
from integrations.redaction import redact
from integrations.results import Usage

MESSAGE_LENGTH = 300
# What a proxy says in its vendor's place when it has handed the request on: bad gateway, timeouts, Cloudflare's 52x.
GATEWAYS = frozenset({408, 499, 502, 504, 520, 522, 524})


class FailureType(StrEnum):
    """A failure type says what went wrong, named by what the caller must do about it."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER_ERROR = "server_error"
    MALFORMED = "malformed"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    INVALID_REQUEST = "invalid_request"


class VendorError(Exception):
    """A call to a vendor failed.

    `message` is safe to log: no key, no token, no full address, no control character, at most 300
    characters. `http_status` is None when no
    answer came. `retry_after` is the vendor's own wish in seconds, None when it named none. `request_id` is the
    vendor's name for the call, or "". `sent` is False only when not a byte of the request left, so that nothing can
    have been charged. `usage` is what the failed call was billed all the same (a truncated text), where the vendor
    says so.
    """

    def __init__(
        self,
        *,
        service: str,
        failure_type: FailureType,
        message: str,
        http_status: int | None = None,
        retry_after: float | None = None,
        request_id: str = "",
        sent: bool = True,
        usage: Usage | None = None,
    ) -> None:
        self.service = service
        self.failure_type = failure_type
        self.message = redact(reading.line(message))[:MESSAGE_LENGTH]
        self.http_status = http_status
        self.retry_after = retry_after
        self.request_id = redact(reading.line(request_id))[:MESSAGE_LENGTH]
        self.sent = sent
        self.usage = usage
        super().__init__(f"{service}: {failure_type}: {self.message}")

    @property
    def may_be_charged(self) -> bool:
        """Say whether the request left and no whole answer of the vendor's own came back: nobody knows what it did with
        it.

        A 2xx that cannot be read was cut or garbled on its way; a gateway's timeout hides what is behind it.
        """
        if not self.sent or (self.usage is not None and self.usage != Usage()):
            return False
        garbled = self.failure_type == FailureType.MALFORMED and self.http_status is not None and self.http_status < 300
        return self.http_status is None or garbled or self.http_status in GATEWAYS
