"""Django REST framework and drf-spectacular are set up here: what every view of the API is made of."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.frame.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["api.frame.permissions.Required"],
    "DEFAULT_RENDERER_CLASSES": ["api.frame.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.frame.parsing.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["api.frame.throttling.PerUser", "api.frame.throttling.Changes"],
    "DEFAULT_PAGINATION_CLASS": "api.frame.pages.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
        "api.frame.pages.Ordering",
    ],
    "DEFAULT_SCHEMA_CLASS": "api.frame.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.frame.envelope.AlwaysJSON",
    "EXCEPTION_HANDLER": "api.frame.errors.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Holdfast",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["api.frame.permissions.Required"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "tryItOutEnabled": False},
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": False,
    "ENUM_NAME_OVERRIDES": {
        "Service": "campaigns.models.SERVICE_CHOICES",
        "Kind": "campaigns.models.KIND_CHOICES",
        "LeadStage": "campaigns.models.STAGE_CHOICES",
        "Review": "campaigns.models.Campaign.Review",
        "CampaignState": "campaigns.models.Campaign.Status",
        "JobState": "campaigns.models.Job.Status",
        "LeadState": "campaigns.models.Lead.State",
        "LeadOutcome": "campaigns.outcomes.OUTCOMES",
        "OutcomeEnum": "campaigns.models.OUTCOME_CHOICES",
        "Mode": ["sandbox", "live"],
    },
}
