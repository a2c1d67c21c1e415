"""Holdfast reads its settings here, once: from the environment, `.env` and `.local/env` (of `make up`), in this order.

A wrong value stops the process with a message that names it; contradictions are system checks (integrations/checks.py).
"""

import logging
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import vendor_defaults
from config.environment import (
    choice,
    company_login,
    count,
    days_kept,
    flag,
    number,
    optional_number,
    prices,
    rate_limits,
    read_files,
    secret,
    some_of,
    text,
    throttle,
    timezone,
    url,
    vendor,
    words,
)
from config.hardening import weak_webhook, weakness
from config.notify_defaults import NOTIFY_SCHEMA_DEFAULTS
from config.rest import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401  (Django reads them here)
from config.stores import database, redis_database, redis_server
from config.unfold import UNFOLD  # noqa: F401  (Unfold reads it here)
from config.vendor_defaults import PRICE_DEFAULTS, RATE_LIMIT_DEFAULTS, REASONING_EFFORTS, VENDOR_DEFAULTS

BASE_DIR = Path(__file__).resolve().parent.parent

read_files(BASE_DIR / ".env", BASE_DIR / ".local" / "env")

DEBUG = flag("DEBUG", False)
MODE = choice("MODE", "sandbox" if DEBUG else "", "sandbox", "live")

SECRET_KEY = secret("SECRET_KEY", "development-only-not-a-secret" if DEBUG else "")
ALLOWED_HOSTS = words("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"] if DEBUG else [])
if problem := weakness(debug=DEBUG, live=MODE == "live", secret_key=SECRET_KEY, hosts=ALLOWED_HOSTS):
    raise ImproperlyConfigured(problem)

# Older ones: what they signed or sealed is still read (sessions, the targets of channels).
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS", [])

# By which the suppression list knows people who were erased: it stays when SECRET_KEY is changed.
ERASURE_KEY = secret("ERASURE_KEY") or SECRET_KEY

WEB_URL = url("WEB_URL", "http://127.0.0.1:8000")
CSRF_FAILURE_VIEW = "console.refused.old_form"
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "accounts.apps.AccountsConfig",
    "django_dramatiq",
    "telemetry.apps.TelemetryConfig",
    "circuitbreakers.apps.CircuitBreakersConfig",
    "integrations.apps.IntegrationsConfig",
    "campaigns.apps.CampaignsConfig",
    "notifications.apps.NotificationsConfig",
    "workers.apps.WorkersConfig",
    "console.apps.ConsoleConfig",
]

MIDDLEWARE = [
    "config.request_id.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "config.contentpolicy.ContentSecurityPolicy",
    "config.request_limits.RequestLimits",  # before whatever reads a body
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.Welcome",
    "accounts.middleware.SecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # the last one: it turns a locked-out login into its answer
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- stores -----------------------------------------------------------------------------------------------------------

DATABASES = {"default": database("DATABASE_URL")}
# What all processes together may open (docs/going-live.md counts them); 0: `check --database default` compares nothing.
CONNECTIONS = count("CONNECTIONS", 0, 0, 1_000_000)

# The switch (breakers, queue status) shares its database with nothing that is ever flushed: messages and cache live in
# the next two. One primary, no cluster.
REDIS_URL = redis_server("REDIS_URL")
REDIS_SWITCH_URL = redis_database(REDIS_URL, 0)
REDIS_BROKER_URL = redis_database(REDIS_URL, 1)
REDIS_TIMEOUT = number("REDIS_TIMEOUT", 0.5, 0.05, 60)

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_database(REDIS_URL, 2),
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT,
            "IGNORE_EXCEPTIONS": True,
            # Nothing but plain values: a pickle would run what somebody wrote there.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        },
    }
}

DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {"url": redis_database(REDIS_URL, 1, socket_connect_timeout=3, socket_timeout=10)},
    # No Retries (it re-enqueues inside a swallowed hook), no TimeLimit and no Shutdown (both raise asynchronously and
    # can land between a paid answer and its saving): a job's own deadline, lease and backoff live in PostgreSQL.
    "MIDDLEWARE": [
        "dramatiq.middleware.Callbacks",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        "workers.middleware.Liveness",
    ],
}
DRAMATIQ_AUTODISCOVER_MODULES = ["actors"]

# --- vendors ----------------------------------------------------------------------------------------------------------

SANDBOX_URL = url("SANDBOX_URL", "http://127.0.0.1:8090")
USER_AGENT = "Holdfast/1.0 (+outreach)"
VENDORS = {
    service: vendor(service, defaults, live=MODE == "live", sandbox_url=SANDBOX_URL)
    for service, defaults in VENDOR_DEFAULTS.items()
}

OPENAI_MODEL = text("OPENAI_MODEL", "gpt-6.1-terra")
OPENAI_REASONING_EFFORT = choice("OPENAI_REASONING_EFFORT", "low", *REASONING_EFFORTS)
OPENAI_MAX_OUTPUT_TOKENS = count("OPENAI_MAX_OUTPUT_TOKENS", 2000, 16)
PERPLEXITY_MODEL = text("PERPLEXITY_MODEL", "perplexity/sonar")
PERPLEXITY_PRESET = text("PERPLEXITY_PRESET", "fast")
PERPLEXITY_MAX_OUTPUT_TOKENS = count("PERPLEXITY_MAX_OUTPUT_TOKENS", 800, 16)
# Of the vendor's closed list of zones, the one that is UTC all year.
INSTANTLY_TIMEZONE = timezone("INSTANTLY_TIMEZONE", "Africa/Abidjan")

# How long what was bought is true, and used again (days): a person revealed by Apollo, an answer of Perplexity's.
REVEALED_DAYS = count("REVEALED_DAYS", 90)
RESEARCH_DAYS = count("RESEARCH_DAYS", 30)
# A lead is verified again before its push when its verdict is older (days; 0: never).
VERDICT_DAYS = count("VERDICT_DAYS", 30, 0, 3650)
# What comes back is posted to WEB_URL/hooks/instantly/{path}, with the secret in a header; both empty: to nowhere.
INSTANTLY_WEBHOOK_PATH = text("INSTANTLY_WEBHOOK_PATH")
INSTANTLY_WEBHOOK_SECRET = text("INSTANTLY_WEBHOOK_SECRET")
if problem := weak_webhook(INSTANTLY_WEBHOOK_PATH, INSTANTLY_WEBHOOK_SECRET):
    raise ImproperlyConfigured(problem)

# The bounce guard pauses a campaign with so many per cent hard bounces of at least so many mails (0: off) in so many
# days.
BOUNCE_GUARD_PERCENT = number("BOUNCE_GUARD_PERCENT", 3, 0.1, 100)
BOUNCE_GUARD_SENT = count("BOUNCE_GUARD_SENT", 50)
BOUNCE_GUARD_DAYS = count("BOUNCE_GUARD_DAYS", 7, 1, 365)

# A start or resume is refused when what the vendors have left falls so many leads short of what waits; 0: only warn.
REFUSE_UNFINISHABLE = count("REFUSE_UNFINISHABLE", 0)
# After a queue resume a service whose breaker had opened gets so many calls first (0: no canary); then it goes step by
# step, each of at least so many seconds and calls (0 calls: no steps).
RESUME_CANARY_CALLS = count("RESUME_CANARY_CALLS", 5, 0, 1000)
RAMP_STEP_SECONDS = count("RAMP_STEP_SECONDS", 60, 0, 86_400)
RAMP_STEP_CALLS = count("RAMP_STEP_CALLS", 20, 0, 100_000)

PRICES = prices("PRICES_JSON", PRICE_DEFAULTS)
PRICES_AT = vendor_defaults.PRICES_AT if PRICES == PRICE_DEFAULTS else None  # of one's own nobody knows the day
RATE_LIMITS = {service: rate_limits(service, default) for service, default in RATE_LIMIT_DEFAULTS.items()}
# Messages that may wait per queue, however many jobs wait: enough for a fleet of threads between two looks, few enough
# that a pause finds little to refuse.
DISPATCH_WINDOW = count("DISPATCH_WINDOW", 256, 1, 10_000)

# --- two persons ------------------------------------------------------------------------------------------------------

# A resume that costs more than so many USD (none: any), and what else waits for a second person's confirmation.
TWO_PERSONS_ABOVE_USD = optional_number("TWO_PERSONS_ABOVE_USD")
TWO_PERSONS_FOR = some_of("TWO_PERSONS_FOR", "forced-reset", "all-at-once")
TWO_PERSONS_MINUTES = count("TWO_PERSONS_MINUTES", 15, 1, 1440)

# --- contacts ---------------------------------------------------------------------------------------------------------

# One person, one conversation (campaigns/contacts/policy.py); a campaign may depart from it, with a reason.
CONTACT_EXCLUSIVE = flag("CONTACT_EXCLUSIVE", True)
CONTACT_COOLDOWN_DAYS = count("CONTACT_COOLDOWN_DAYS", 90, 0, 3650)
CONTACT_DOMAIN_PEOPLE = count("CONTACT_DOMAIN_PEOPLE", 0, 0, 1_000_000)
CONTACT_DOMAIN_DAYS = count("CONTACT_DOMAIN_DAYS", 30, 1, 3650)

# --- being told -------------------------------------------------------------------------------------------------------

# What Apprise may be used for (docs/notifications.md), and where in our own network a channel may lead.
NOTIFY_SCHEMAS = words("NOTIFY_SCHEMAS", NOTIFY_SCHEMA_DEFAULTS)
NOTIFY_PRIVATE_HOSTS = words("NOTIFY_PRIVATE_HOSTS", [])

# --- retention --------------------------------------------------------------------------------------------------------

# Days that `manage.py prune` keeps rows (0: for ever): of campaigns, since they ended. What comes back is asked for
# during 90 days after a campaign's last call, and matched with calls and outcomes of then.
KEEP_JOBS_DAYS = days_kept("KEEP_JOBS_DAYS", 365, 100)
KEEP_TEXTS_DAYS = days_kept("KEEP_TEXTS_DAYS", 365, 1)
KEEP_EVENTS_DAYS = days_kept("KEEP_EVENTS_DAYS", 730, 100)
KEEP_OUTCOMES_DAYS = days_kept("KEEP_OUTCOMES_DAYS", 365, 100)
KEEP_FACTS_DAYS = days_kept("KEEP_FACTS_DAYS", 365, 1)

# --- web --------------------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
USE_THOUSAND_SEPARATOR = True
# One way to write an instant, everywhere.
DATETIME_FORMAT = "Y-m-d H:i:s \\U\\T\\C"
DATE_FORMAT = "Y-m-d"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
# The first backend refuses a user and IP address with too many wrong passwords, before any password is looked at.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backends.PasswordsClosed",
    "django.contrib.auth.backends.ModelBackend",
    "accounts.backends.CompanyBackend",
]
# An OpenID provider, by four variables; None: users sign in with their passwords.
COMPANY_LOGIN = company_login()
# How long the provider's word that somebody is welcome is believed, sessions and API tokens alike.
OIDC_CHECK_MINUTES = number("OIDC_CHECK_MINUTES", 5, 0.1, 1440)
SECOND_FACTOR_REQUIRED = flag("SECOND_FACTOR_REQUIRED", False)
OTP_TOTP_ISSUER = "Holdfast"
# The one login with a password that company logins leave open; each use of it is an event.
BREAK_GLASS_USER = text("BREAK_GLASS_USER")
AXES_FAILURE_LIMIT = count("LOGIN_FAILURES", 5, 1)
AXES_COOLOFF_TIME = timedelta(minutes=number("LOGIN_COOLOFF_MINUTES", 15, 1, 525_600))
# Both together: a stranger cannot lock an operator out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "api.frame.client_ip.client_ip"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code"]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(number("SESSION_HOURS", 12, 1, 8760) * 3600)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = flag("HTTPS", not DEBUG)
# One proxy of your own in front, which sets X-Forwarded-Proto and appends to X-Forwarded-For. Without it both lie.
BEHIND_PROXY = flag("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^api/v1/health/"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = count("HSTS_SECONDS", 31_536_000 if SECURE_SSL_REDIRECT else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],  # style attributes: Unfold, Chart.js, Swagger UI
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# --- uploads ----------------------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = count("MAX_BODY_BYTES", 1_048_576, 1024)  # a body without its files
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_PERMISSIONS = 0o600
IMPORT_MAX_BYTES = count("IMPORT_MAX_BYTES", 536_870_912, 1024)
IMPORT_MAX_ROWS = count("IMPORT_MAX_ROWS", 1_000_000, 1)
IMPORT_MAX_COLUMNS = count("IMPORT_MAX_COLUMNS", 300, 1)

# --- API --------------------------------------------------------------------------------------------------------------

# Hashed at rest, named, expiring, revocable. Knox's own table is not made: the model is ours, with a name.
KNOX_TOKEN_MODEL = "config.ApiToken"  # noqa: S105  (a model, no token)
MIGRATION_MODULES = {"knox": None}
TOKEN_DAYS = number("TOKEN_DAYS", 90, 0.01, 36_500)
REST_KNOX = {
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
    "TOKEN_TTL": timedelta(days=TOKEN_DAYS),
    "TOKEN_LIMIT_PER_USER": 50,
    "TOKEN_PREFIX": "hf_",  # so that a leaked one is recognised
}

THROTTLES = {
    "address": throttle("THROTTLE_ADDRESS", "1200/60"),
    "user": throttle("THROTTLE_USER", "600/60"),
    "changes": throttle("THROTTLE_CHANGES", "120/60"),
    "login": throttle("THROTTLE_LOGIN", "20/60"),
}

# Who may see it; `login` is whoever may see the breakers.
AUDIENCES = ("nobody", "login", "everybody")
EXPOSE_METRICS = choice("EXPOSE_METRICS", "login", *AUDIENCES)
EXPOSE_DOCS = choice("EXPOSE_DOCS", "login", *AUDIENCES)
# Everybody may know that something is wrong; this is about what is wrong.
EXPOSE_HEALTH = choice("EXPOSE_HEALTH", "everybody", *AUDIENCES)

# --- logs -------------------------------------------------------------------------------------------------------------

LOG_LEVEL = choice("LOG_LEVEL", "INFO", *logging.getLevelNamesMapping())
LOG_FORMAT = choice("LOG_FORMAT", "text", "text", "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "config.logs.TextFormatter"},
        "json": {"()": "config.logs.JsonFormatter"},
    },
    "filters": {"outages": {"()": "config.outages.Outages"}},
    "handlers": {
        "nowhere": {"class": "logging.NullHandler"},
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["outages"]},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # It names targets; what it says of a failure is redacted and kept with the delivery.
        "apprise": {"handlers": ["nowhere"], "propagate": False},
        "axes": {"level": "WARNING"},
        "dramatiq": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
