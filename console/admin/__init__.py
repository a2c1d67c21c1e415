"""The admin's lists and pages are registered when they are imported."""

from console.admin import breakers, campaigns, leads_and_jobs, outcomes, tokens, users

__all__ = ["breakers", "campaigns", "leads_and_jobs", "outcomes", "tokens", "users"]
