"""The operator's console is made here: the dashboard, the recovery page, and the admin's lists with their verbs."""
