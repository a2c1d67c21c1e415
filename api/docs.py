"""The OpenAPI document is served here, and a page to read it that needs no internet and no inline script."""

from django.conf import settings
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from api.frame.audience import audience


class DocumentView(SpectacularAPIView):
    """The document itself, as JSON."""

    renderer_classes = [OpenApiJsonRenderer]
    serve_public = True

    @property
    def required(self) -> dict[str, str]:
        return {"GET": audience(settings.EXPOSE_DOCS)}


class DocsView(SpectacularSwaggerSplitView):
    """A page to read it, which needs no internet and no inline script."""

    url_name = "api:schema"

    @property
    def required(self) -> dict[str, str]:
        return {"GET": audience(settings.EXPOSE_DOCS)}
