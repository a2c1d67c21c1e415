"""The admin's lists and pages; importing them registers them."""

from console.admin import breakers, campaigns, leads_and_jobs, tokens, users

__all__ = ["breakers", "campaigns", "leads_and_jobs", "tokens", "users"]
