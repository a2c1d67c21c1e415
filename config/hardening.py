"""Production insists on these settings before it starts."""

# Django's own measure of a key (check security.W009): 50 characters, 5 different ones, not generated for development.
KEY_LENGTH = 50
KEY_VARIETY = 5
NEW_KEY = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
KNOWN_KEYS = ("django-insecure-", "development-only", "for-checks-only", "change")
# Characters of the parts of Instantly's webhook: Instantly signs nothing, so they are all that keeps strangers out.
HOOK_LENGTH = 32
HOOK_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
NEW_HOOK = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def weak_webhook(path: str, secret: str) -> str:
    """Say why strangers could use a webhook with these two; '' when nothing speaks against them, or both are empty."""
    given = {"INSTANTLY_WEBHOOK_PATH": path, "INSTANTLY_WEBHOOK_SECRET": secret}
    for name, value in given.items():
        if not value and any(given.values()):
            return f"{name} is not set, and the other half of the webhook is. {NEW_HOOK}"
        if value and (len(value) < HOOK_LENGTH or len(set(value)) < KEY_VARIETY or set(value) - HOOK_CHARACTERS):
            return f"{name} is weak: it needs {HOOK_LENGTH} random letters, digits, - and _. {NEW_HOOK}"
    return "INSTANTLY_WEBHOOK_PATH and INSTANTLY_WEBHOOK_SECRET are the same." if path and path == secret else ""


def weakness(*, debug: bool, live: bool, secret_key: str, hosts: list[str]) -> str:
    """Say why the process must not start with these settings; '' when nothing speaks against it."""
    if live and debug:
        return "DEBUG must be off with MODE=live: its error pages show settings and data."
    if not secret_key:
        return f"SECRET_KEY is not set. {NEW_KEY}"
    if debug:
        return ""
    if any(map(str.isspace, secret_key)):
        return f"SECRET_KEY holds white space: is it a comment? In .env one behind a value is part of it. {NEW_KEY}"
    if len(secret_key) < KEY_LENGTH or len(set(secret_key)) < KEY_VARIETY or secret_key.lower().startswith(KNOWN_KEYS):
        return f"SECRET_KEY is weak: it needs {KEY_LENGTH} random characters. {NEW_KEY}"
    if not hosts:
        return "ALLOWED_HOSTS is not set. List the names under which this site is reached, with commas between them."
    if any(host.strip() in ("*", ".") for host in hosts):
        return "ALLOWED_HOSTS must list names, not '*': a forged Host header would end up in links."
    return ""
