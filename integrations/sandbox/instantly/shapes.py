"""Instantly's request bodies are closed: a field too many is refused.

Source: the published OpenAPI document (version 2.0.0).
"""

import re
from collections.abc import Iterable

from integrations.sandbox.exchange import Unreadable

LEAD = frozenset(
    [
        "email",
        "personalization",
        "website",
        "last_name",
        "first_name",
        "company_name",
        "job_title",
        "phone",
        "lt_interest_status",
        "pl_value_lead",
        "assigned_to",
        "custom_variables",
    ]
)
SINGLE_LEAD = LEAD | frozenset(
    [
        "campaign",
        "list_id",
        "skip_if_in_workspace",
        "skip_if_in_campaign",
        "skip_if_in_list",
        "blocklist_id",
        "verify_leads_for_lead_finder",
        "verify_leads_on_import",
    ]
)
BULK = frozenset(
    [
        "campaign_id",
        "list_id",
        "leads",
        "blocklist_id",
        "assigned_to",
        "verify_leads_on_import",
        "skip_if_in_workspace",
        "skip_if_in_campaign",
        "skip_if_in_list",
    ]
)
LIST = frozenset(
    [
        "search",
        "filter",
        "campaign",
        "list_id",
        "in_campaign",
        "in_list",
        "ids",
        "queries",
        "excluded_ids",
        "contacts",
        "limit",
        "starting_after",
        "organization_user_ids",
        "smart_view_id",
        "is_website_visitor",
        "distinct_contacts",
        "enrichment_status",
        "esg_code",
    ]
)
CAMPAIGN = frozenset(
    [
        "name",
        "pl_value",
        "is_evergreen",
        "campaign_schedule",
        "sequences",
        "email_gap",
        "random_wait_max",
        "text_only",
        "first_email_text_only",
        "email_list",
        "daily_limit",
        "stop_on_reply",
        "email_tag_list",
        "link_tracking",
        "open_tracking",
        "stop_on_auto_reply",
        "daily_max_leads",
        "prioritize_new_leads",
        "auto_variant_select",
        "match_lead_esp",
        "stop_for_company",
        "insert_unsubscribe_header",
        "allow_risky_contacts",
        "disable_bounce_protect",
        "limit_emails_per_company_override",
        "cc_list",
        "bcc_list",
        "owned_by",
        "ai_sdr_id",
        "provider_routing_rules",
    ]
)
# The document's closed list, which knows neither UTC nor most capitals.
TIMEZONES = frozenset(
    [
        "Etc/GMT+12",
        "Etc/GMT+11",
        "Etc/GMT+10",
        "America/Anchorage",
        "America/Dawson",
        "America/Creston",
        "America/Chihuahua",
        "America/Boise",
        "America/Belize",
        "America/Chicago",
        "America/Bahia_Banderas",
        "America/Regina",
        "America/Bogota",
        "America/Detroit",
        "America/Indiana/Marengo",
        "America/Caracas",
        "America/Asuncion",
        "America/Glace_Bay",
        "America/Campo_Grande",
        "America/Anguilla",
        "America/Santiago",
        "America/St_Johns",
        "America/Sao_Paulo",
        "America/Argentina/La_Rioja",
        "America/Araguaina",
        "America/Godthab",
        "America/Montevideo",
        "America/Bahia",
        "America/Noronha",
        "America/Scoresbysund",
        "Atlantic/Cape_Verde",
        "Africa/Casablanca",
        "America/Danmarkshavn",
        "Europe/Isle_of_Man",
        "Atlantic/Canary",
        "Africa/Abidjan",
        "Arctic/Longyearbyen",
        "Europe/Belgrade",
        "Africa/Ceuta",
        "Europe/Sarajevo",
        "Africa/Algiers",
        "Africa/Windhoek",
        "Asia/Nicosia",
        "Asia/Beirut",
        "Africa/Cairo",
        "Asia/Damascus",
        "Europe/Bucharest",
        "Africa/Blantyre",
        "Europe/Helsinki",
        "Europe/Istanbul",
        "Asia/Jerusalem",
        "Africa/Tripoli",
        "Asia/Amman",
        "Asia/Baghdad",
        "Europe/Kaliningrad",
        "Asia/Aden",
        "Africa/Addis_Ababa",
        "Europe/Kirov",
        "Europe/Astrakhan",
        "Asia/Tehran",
        "Asia/Dubai",
        "Asia/Baku",
        "Indian/Mahe",
        "Asia/Tbilisi",
        "Asia/Yerevan",
        "Asia/Kabul",
        "Antarctica/Mawson",
        "Asia/Yekaterinburg",
        "Asia/Karachi",
        "Asia/Kolkata",
        "Asia/Colombo",
        "Asia/Kathmandu",
        "Antarctica/Vostok",
        "Asia/Dhaka",
        "Asia/Rangoon",
        "Antarctica/Davis",
        "Asia/Novokuznetsk",
        "Asia/Hong_Kong",
        "Asia/Krasnoyarsk",
        "Asia/Brunei",
        "Australia/Perth",
        "Asia/Taipei",
        "Asia/Choibalsan",
        "Asia/Irkutsk",
        "Asia/Dili",
        "Asia/Pyongyang",
        "Australia/Adelaide",
        "Australia/Darwin",
        "Australia/Brisbane",
        "Australia/Melbourne",
        "Antarctica/DumontDUrville",
        "Australia/Currie",
        "Asia/Chita",
        "Antarctica/Macquarie",
        "Asia/Sakhalin",
        "Pacific/Auckland",
        "Etc/GMT-12",
        "Pacific/Fiji",
        "Asia/Anadyr",
        "Asia/Kamchatka",
        "Etc/GMT-13",
        "Pacific/Apia",
    ]
)
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
MAX_LEADS = 1000


def closed(body: dict[str, object], allowed: Iterable[str], where: str = "body") -> None:
    """Raise Unreadable, in the words of the vendor's validator, for a field that the document does not know."""
    if set(body) - set(allowed):
        raise Unreadable(f"{where} must NOT have additional properties")


def required(body: dict[str, object], *names: str, where: str = "body") -> None:
    for name in names:
        if name not in body:
            raise Unreadable(f"{where} must have required property '{name}'")


def check_lead(lead: dict[str, object], allowed: frozenset[str], where: str) -> None:
    closed(lead, allowed, where)
    for name, value in lead.items():
        if name in LEAD - {"custom_variables", "lt_interest_status"} and not isinstance(value, str | None):
            raise Unreadable(f"{where}/{name} must be string,null")
    variables = lead.get("custom_variables", {})
    if not isinstance(variables, dict):
        raise Unreadable(f"{where}/custom_variables must be object")
    for name, value in variables.items():
        if not isinstance(value, str | int | float | bool | None):
            raise Unreadable(f"{where}/custom_variables/{name} must be string,number,boolean,null")


def check_bulk(body: dict[str, object]) -> list[dict[str, object]]:
    """Return the leads of a bulk request. Raises Unreadable for anything that the document does not allow."""
    closed(body, BULK)
    required(body, "leads")
    leads = body["leads"]
    if not isinstance(leads, list) or not all(isinstance(lead, dict) for lead in leads):
        raise Unreadable("body/leads must be array of object")
    if not 1 <= len(leads) <= MAX_LEADS:
        raise Unreadable(f"body/leads must NOT have {'fewer than 1' if not leads else f'more than {MAX_LEADS}'} items")
    if bool(body.get("campaign_id")) == bool(body.get("list_id")):
        raise Unreadable("Provide either campaign_id or list_id, but not both")
    for index, lead in enumerate(leads):
        check_lead(lead, LEAD, f"body/leads/{index}")
    return leads


def check_campaign(body: dict[str, object]) -> None:
    closed(body, CAMPAIGN)
    required(body, "name", "campaign_schedule")
    schedule = body["campaign_schedule"]
    schedules = schedule.get("schedules") if isinstance(schedule, dict) else None
    if not isinstance(schedules, list) or not schedules:
        raise Unreadable("body/campaign_schedule must have required property 'schedules'")
    for index, each in enumerate(schedules):
        where = f"body/campaign_schedule/schedules/{index}"
        if not isinstance(each, dict):
            raise Unreadable(f"{where} must be object")
        required(each, "name", "timing", "days", "timezone", where=where)
        if each["timezone"] not in TIMEZONES:
            raise Unreadable(f"{where}/timezone must be equal to one of the allowed values")
        timing = each["timing"] if isinstance(each["timing"], dict) else {}
        required(timing, "from", "to", where=f"{where}/timing")
        if not all(CLOCK.fullmatch(str(timing[end])) for end in ("from", "to")):
            raise Unreadable(f'{where}/timing must match pattern "^([01][0-9]|2[0-3]):([0-5][0-9])$"')
