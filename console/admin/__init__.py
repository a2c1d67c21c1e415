"""The admin's lists and pages are registered when they are imported."""

from console.admin import (
    breakers,
    budgets,
    campaigns,
    contacts,
    leads_and_jobs,
    notifications,
    outcomes,
    planned_pauses,
    suppressions,
    tokens,
    users,
)

__all__ = [
    "breakers",
    "budgets",
    "campaigns",
    "contacts",
    "leads_and_jobs",
    "notifications",
    "outcomes",
    "planned_pauses",
    "suppressions",
    "tokens",
    "users",
]
