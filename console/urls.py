"""The console's own pages have their paths below the admin's."""

from django.contrib import admin
from django.urls import path

from console import incidents, live, login, passwords, people, recovery, spend
from console.refused import pressed

app_name = "console"
urlpatterns = [
    # The first two are found before the admin's own.
    path("login/", login.login),
    path("password_change/", admin.site.admin_view(passwords.change_own, cacheable=True)),
    path("live/", live.live, name="live"),
    path("spend/", admin.site.admin_view(spend.page), name="spend"),
    path("person/", admin.site.admin_view(people.page), name="person"),
    path("recovery/", admin.site.admin_view(recovery.page), name="recovery"),
    path("recovery/resume/", pressed(recovery.resume), name="resume"),
    *(
        path(
            f"recovery/incident/<int:pk>/{verb}/",
            pressed(incidents.act),
            {"verb": verb},
            f"incident_{verb}",
        )
        for verb in incidents.VERBS
    ),
    path("recovery/<str:verb>/<str:service>/", pressed(recovery.act), name="act"),
]
