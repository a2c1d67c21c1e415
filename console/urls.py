"""The console's own pages have their paths below the admin's."""

from django.contrib import admin
from django.urls import path

from console import (
    account,
    company,
    confirmations,
    failures,
    incidents,
    live,
    login,
    mails,
    passwords,
    people,
    recovery,
    spend,
)
from console.refused import pressed

app_name = "console"
urlpatterns = [
    # The first two are found before the admin's own.
    path("login/", login.login),
    path("password_change/", admin.site.admin_view(passwords.change_own, cacheable=True)),
    path("company/", company.out, name="company-out"),
    path("company/back/", company.back, name="company-callback"),
    path("company/logged-out/", company.logged_out, name="company-logged-out"),
    path("account/", admin.site.admin_view(account.page), name="account"),
    path("live/", live.live, name="live"),
    path("spend/", admin.site.admin_view(spend.page), name="spend"),
    path("mails/", admin.site.admin_view(mails.page), name="mails"),
    path("mails/answer/", pressed(mails.answer, back="console:mails"), name="mail-answer"),
    path("failures/", admin.site.admin_view(failures.page), name="failures"),
    path("failures/<uuid:key>/", admin.site.admin_view(failures.one), name="failure_group"),
    path("failures/<uuid:key>/leads.csv", admin.site.admin_view(failures.leads), name="failure_leads"),
    *(
        path(f"failures/{verb}/", pressed(failures.act, back="console:failures"), {"verb": verb}, f"failures_{verb}")
        for verb in failures.VERBS
    ),
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
    path("recovery/second-person/", admin.site.admin_view(confirmations.page), name="confirmations"),
    path("recovery/second-person/<int:pk>/confirm/", pressed(confirmations.answer), {"verb": "confirm"}, "confirm"),
    path("recovery/second-person/<int:pk>/decline/", pressed(confirmations.answer), {"verb": "decline"}, "decline"),
    path("recovery/<str:verb>/<str:service>/", pressed(recovery.act), name="act"),
]
