"""Apprise knows 140 services; a channel may lead to these. None of them runs a program, reads a file or writes to this
machine."""

NOTIFY_SCHEMA_DEFAULTS = [
    *("mailto", "mailtos"),
    *("slack", "workflow", "workflows", "discord", "gchat", "mmost", "mmosts", "rocket", "rockets", "tgram", "webex"),
    *("pagerduty", "opsgenie", "signl4", "splunk", "victorops", "pover", "ntfy", "ntfys", "gotify", "gotifys"),
]
