"""Every path of the site is here, or included from here."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from api import health
from api.hooks import instantly
from api.metrics import MetricsView

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", include("console.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("api.urls")),
    # With and without the slash: a redirect would lose the body.
    re_path(r"^hooks/instantly/(?P<opaque>[^/]*)/?$", instantly),
    # Where load balancers and Prometheus look by habit.
    path("health/live", health.LiveView.as_view(schema=None)),
    path("health/ready", health.ReadyView.as_view(schema=None)),
    path("metrics", MetricsView.as_view()),
]

handler403 = "console.refused.forbidden"
handler400 = "api.frame.not_found.unreadable"
handler500 = "api.frame.not_found.broken"
