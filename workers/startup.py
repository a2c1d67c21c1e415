"""The keys are looked at once, when a supervisor starts."""

import logging

from integrations.keys import check_all

logger = logging.getLogger(__name__)


def check_keys() -> int:
    """Log one line per service whose key is missing, refused or may not do what a campaign needs; how many.

    It says so and no more: what is wrong stops the system when a campaign meets it, and `manage.py vendors check`
    repeats it.
    """
    wrong = [check for check in check_all() if not check.ok]
    for check in wrong:
        logger.error("Key of %s: %s. %s", check.service, check.verdict, check.detail, extra={"service": check.service})
    if not wrong:
        logger.info("The keys of all services are accepted")
    return len(wrong)
