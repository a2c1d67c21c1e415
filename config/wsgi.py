"""Gunicorn serves this WSGI entry, which refuses to start with settings that contradict each other, as commands do."""

import logging
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402 (after the set-up)
from django.core.checks import ERROR, run_checks  # noqa: E402
from django.core.management.base import SystemCheckError  # noqa: E402

if errors := [str(message) for message in run_checks() if message.level >= ERROR]:
    raise SystemCheckError("\n".join(errors))
logging.getLogger(__name__).info("Web in %s mode", settings.MODE.upper())
