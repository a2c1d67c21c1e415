"""A delivery that failed is tried again over a day, and then given up. Pure."""

# Seconds before the second attempt, the third, and so on: about a day in all.
WAITS = (5, 30, 120, 600, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 9 * 3600)


# Attempts that may begin. One of which nobody noted the end, for its process died, counts.
MOST = len(WAITS) + 1


def wait_after(attempts: int) -> int | None:
    """Return the seconds to wait after so many failed attempts; None: it is given up."""
    return WAITS[attempts - 1] if 0 < attempts <= len(WAITS) else None
