"""The operator's console: the admin's dashboard, the recovery page, and what the admin's lists have in common."""
