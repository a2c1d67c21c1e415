"""The triage of failures: what failed, in groups; what a retry of a group would do; retry it, or drop it."""
