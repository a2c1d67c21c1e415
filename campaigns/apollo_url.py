"""A people search in Apollo's own app, pasted as its URL, becomes parameters of the API here.

The app writes camelCase behind a `#`, the API wants snake_case in the query; most filters have the same meaning, some
have no counterpart. Names: the API's OpenAPI document, and URLs of the app as people publish them; the app's own are
documented nowhere, so an unknown one is reported, never guessed.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# App name (without []) -> API name. Lists end in [].
SAME: dict[str, str] = {
    "personTitles": "person_titles[]",
    "includeSimilarTitles": "include_similar_titles",
    "qKeywords": "q_keywords",
    "personLocations": "person_locations[]",
    "personSeniorities": "person_seniorities[]",
    "organizationLocations": "organization_locations[]",
    "qOrganizationDomainsList": "q_organization_domains_list[]",
    "qOrganizationDomains": "q_organization_domains_list[]",
    "contactEmailStatus": "contact_email_status[]",
    "contactEmailStatusV2": "contact_email_status[]",
    "organizationIds": "organization_ids[]",
    "organizationNumEmployeesRanges": "organization_num_employees_ranges[]",
    "revenueRange[min]": "revenue_range[min]",
    "revenueRange[max]": "revenue_range[max]",
    "currentlyUsingAllOfTechnologyUids": "currently_using_all_of_technology_uids[]",
    "currentlyUsingAnyOfTechnologyUids": "currently_using_any_of_technology_uids[]",
    "currentlyNotUsingAnyOfTechnologyUids": "currently_not_using_any_of_technology_uids[]",
    "qOrganizationJobTitles": "q_organization_job_titles[]",
    "organizationJobLocations": "organization_job_locations[]",
    "organizationNumJobsRange[min]": "organization_num_jobs_range[min]",
    "organizationNumJobsRange[max]": "organization_num_jobs_range[max]",
    "organizationJobPostedAtRange[min]": "organization_job_posted_at_range[min]",
    "organizationJobPostedAtRange[max]": "organization_job_posted_at_range[max]",
}
NUMBERS = frozenset(name for name in SAME.values() if name.startswith(("revenue_range", "organization_num_jobs_range")))

# How the app shows the list, not who is on it.
DISPLAY = frozenset(
    {"page", "perPage", "sortAscending", "sortByField", "finderViewId", "viewMode", "uniqueUrlId", "tour"}
    | {"recommendationConfigId", "finderTableLayoutId", "search", "source"}
)

SENIORITIES = frozenset(
    "owner founder c_suite partner vp head director manager senior entry intern".split()  # noqa: SIM905
)
EMAIL_STATUSES = frozenset({"verified", "unverified", "likely to engage", "unavailable"})
MOST_DOMAINS = 1000  # in one search, says the API's document

# Why a filter cannot be had, where there is more to say than that the API lacks it.
REASONS = {
    "contactEmailExcludeCatchAll": "catch-all addresses are found out when they are verified",
    "personNotTitles": "people with these titles will be found too",
    "personNotLocations": "people in these places will be found too",
    "organizationNotLocations": "companies in these places will be found too",
    "notOrganizationIds": "people of these companies will be found too",
    "qOrganizationSearchListId": "a saved list of companies cannot be searched; list their domains",
    "qOrganizationKeywordTags": "company keywords cannot be searched; try general keywords",
    "organizationIndustryTagIds": "industries cannot be searched; try general keywords",
}


@dataclass(frozen=True)
class ApolloSearch:
    """A search has the `params` for `apollo.search_people`; each of its `messages` names a part of the URL that has no
    effect."""

    params: dict[str, Any]
    messages: list[str]


def from_url(url: str) -> ApolloSearch:
    """Read the search behind `https://app.apollo.io/#/people?...`.

    Raises ValueError, with a message for people, for any other address and for one without a usable filter.
    """
    params: dict[str, Any] = {}
    messages: list[str] = []
    for name, value in _pairs(url):
        parameter = SAME.get(name.removesuffix("[]"))
        if parameter is None:
            messages += [message for message in _unknown(name) if message not in messages]
            continue
        good, complaint = _value(parameter, value)
        if complaint:
            messages.append(complaint)
        elif parameter.endswith("[]"):
            values = params.setdefault(parameter, [])
            values += [item for item in good if item not in values]
        else:
            params[parameter] = good[0]
    domains = params.get("q_organization_domains_list[]", [])
    if len(domains) > MOST_DOMAINS:
        messages.append(f"Only the first {MOST_DOMAINS} of {len(domains)} company domains are searched.")
        del domains[MOST_DOMAINS:]
    if not params:
        raise ValueError(" ".join(["This search has no filter that the API knows.", *messages]))
    return ApolloSearch(params, messages)


def _pairs(url: str) -> list[tuple[str, str]]:
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
        # Behind the # the app keeps a path and a query of its own.
        page = urlsplit(parts.fragment) if parts.fragment else parts
        pairs = [(name, value.strip()) for name, value in parse_qsl(page.query) if value.strip()]
    except ValueError as error:
        raise ValueError("This is not a web address.") from error
    if parts.scheme not in ("http", "https") or host != "app.apollo.io":
        raise ValueError("This is not an address of Apollo's app: it must begin with https://app.apollo.io/.")
    if page.path.strip("/") != "people":
        raise ValueError("This is not a people search: its address must begin with https://app.apollo.io/#/people?.")
    return pairs


def _unknown(name: str) -> list[str]:
    plain = name.split("[", maxsplit=1)[0]
    if plain in DISPLAY:
        return []
    return [f"{plain} has no effect: {REASONS.get(plain, 'the API has no such filter')}."]


def _value(name: str, value: str) -> tuple[list[Any], str]:
    """Return the API's value or values for the app's one, or a complaint."""
    if name in NUMBERS:
        return ([int(value)], "") if value.isdecimal() else ([], f"{name} has no effect: {value!r} is not a number.")
    if name == "include_similar_titles":
        return [value.lower() == "true"], ""
    if name == "q_organization_domains_list[]":
        # The app joins them with commas, and a pasted list with line breaks.
        return [domain.lower().removeprefix("www.") for domain in value.replace(",", " ").split()], ""
    if name == "contact_email_status[]":
        status = value.replace("_", " ").lower()
        return ([status], "") if status in EMAIL_STATUSES else ([], f"E-mail status {value!r} is unknown to the API.")
    if name == "person_seniorities[]":
        return ([value], "") if value in SENIORITIES else ([], f"Seniority {value!r} is unknown to the API.")
    if name == "organization_num_employees_ranges[]":
        low, _, high = value.partition(",")
        numbers = all(part == "" or part.isdecimal() for part in (low.strip(), high.strip()))
        return ([value], "") if numbers else ([], f"Headcount range {value!r} is not two numbers.")
    return [value], ""
