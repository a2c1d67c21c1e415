"""Unfold, the admin's theme, takes from here the console's name, badge, dashboard, navigation and colours."""

UNFOLD = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_SUBHEADER": "Outreach, safely",
    "SITE_SYMBOL": "anchor",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,  # Django's own; ours are the events, on the rows' pages
    "ENVIRONMENT": "console.live.environment",
    "DASHBOARD_CALLBACK": "console.live.dashboard",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "console.navigation.icon"}],
    "STYLES": ["console.navigation.style"],
    "SCRIPTS": ["console.navigation.script"],
    "LOGIN": {"form": "console.login.SignInForm"},
    "ACCOUNT": {"navigation": "console.navigation.account"},
    "SIDEBAR": {"show_search": True, "navigation": "console.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#1d4ed8",
            "700": "#1e40af",
            "800": "#1e3a8a",
            "900": "#1e3a8a",
            "950": "#172554",
        },
    },
}
