import pytest

from campaigns.apollo_url import from_url

APP = "https://app.apollo.io/#/people?"


def test_a_pasted_search_becomes_parameters() -> None:
    search = from_url(
        APP + "page=3&sortAscending=false&sortByField=recommendations_score&personTitles[]=CEO"
        "&personTitles%5B%5D=sales%20manager&personTitles[]=CEO&personSeniorities[]=c_suite&personLocations[]=%C3%85rhus"
        "&organizationNumEmployeesRanges[]=1%2C10&organizationNumEmployeesRanges[]=11,20"
        "&contactEmailStatusV2[]=likely_to_engage&contactEmailStatusV2[]=verified&qKeywords=corporate%20banking"
        "&qOrganizationDomainsList[]=WWW.acme.test%0Abolt.test&revenueRange[min]=1000&includeSimilarTitles=false"
    )
    assert search.messages == []
    assert search.params == {
        "person_titles[]": ["CEO", "sales manager"],
        "person_seniorities[]": ["c_suite"],
        "person_locations[]": ["Århus"],
        "organization_num_employees_ranges[]": ["1,10", "11,20"],
        "contact_email_status[]": ["likely to engage", "verified"],
        "q_keywords": "corporate banking",
        "q_organization_domains_list[]": ["acme.test", "bolt.test"],
        "revenue_range[min]": 1000,
        "include_similar_titles": False,
    }


def test_each_filter_without_counterpart_is_named_once() -> None:
    search = from_url(
        APP + "personTitles[]=CEO&personNotTitles[]=assistant&personNotTitles[]=intern&qOrganizationKeywordTags[]=arms"
        "&contactEmailExcludeCatchAll=true&somethingNew[exists]=1&finderViewId=5b8050d0"
    )
    assert search.params == {"person_titles[]": ["CEO"]}
    assert search.messages == [
        "personNotTitles has no effect: people with these titles will be found too.",
        "qOrganizationKeywordTags has no effect: company keywords cannot be searched; try general keywords.",
        "contactEmailExcludeCatchAll has no effect: catch-all addresses are found out when they are verified.",
        "somethingNew has no effect: the API has no such filter.",
    ]


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        ("personSeniorities[]=boss", "Seniority 'boss' is unknown to the API."),
        ("contactEmailStatusV2[]=user_managed", "E-mail status 'user_managed' is unknown to the API."),
        ("organizationNumEmployeesRanges[]=many", "Headcount range 'many' is not two numbers."),
        ("revenueRange[max]=lots", "revenue_range[max] has no effect: 'lots' is not a number."),
    ],
)
def test_a_value_that_the_api_does_not_know_is_named(part: str, complaint: str) -> None:
    search = from_url(f"{APP}qKeywords=arms&{part}")
    assert (search.params, search.messages) == ({"q_keywords": "arms"}, [complaint])


def test_no_more_domains_than_the_api_takes() -> None:
    search = from_url(APP + "qOrganizationDomainsList[]=" + ",".join(f"{n}.test" for n in range(1200)))
    assert len(search.params["q_organization_domains_list[]"]) == 1000
    assert search.messages == ["Only the first 1000 of 1200 company domains are searched."]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "not an address of Apollo's app"),
        ("personTitles[]=CEO", "not an address of Apollo's app"),
        ("https://app.apollo.io.evil.test/#/people?qKeywords=a", "not an address of Apollo's app"),
        ("javascript://app.apollo.io/#/people?qKeywords=a", "not an address of Apollo's app"),
        ("https://[/#/people", "not a web address"),
        ("https://app.apollo.io/#/companies?qKeywords=a", "not a people search"),
        ("https://app.apollo.io/#/people", "no filter that the API knows"),
        (APP + "page=1&personNotTitles[]=intern", "people with these titles will be found too"),
    ],
)
def test_what_is_no_search_is_refused_with_a_reason(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_url(url)
