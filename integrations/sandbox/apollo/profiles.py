"""An invented person is put into the two shapes in which Apollo shows people: a search's row, an enrichment's
profile."""

from integrations.sandbox.world.people import Person


def profile(person: Person) -> dict[str, object]:
    """Return the fields that enrichment is bought for, null where real answers have null; CRM fields are left out."""
    slug = person.id[:12]
    company = person.company
    return {
        "id": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "name": person.name,
        "linkedin_url": f"http://www.linkedin.example/in/{slug}",
        "title": person.title,
        "email_status": person.email_status,
        "photo_url": None,
        "twitter_url": None,
        "github_url": None,
        "facebook_url": None,
        "extrapolated_email_confidence": None,
        "headline": person.title,
        "email": person.email,
        "organization_id": company.id,
        "employment_history": [
            {
                "_id": f"{slug}employment1",
                "current": True,
                "end_date": None,
                "organization_id": company.id,
                "organization_name": company.name,
                "start_date": f"{2008 + person.number % 17}-01-01",
                "title": person.title or "Employee",
                "id": f"{slug}employment1",
                "key": f"{slug}employment1",
            }
        ],
        "city": person.place.city,
        "state": person.place.state,
        "country": person.place.country,
        "organization": {
            "id": company.id,
            "name": company.name,
            "website_url": f"http://www.{company.domain}",
            "linkedin_url": f"http://www.linkedin.example/company/{company.domain.partition('.')[0]}",
            "primary_domain": company.domain,
            "industry": company.industry,
            "industries": [company.industry],
            "keywords": company.keywords,
            "estimated_num_employees": company.employees,
            "founded_year": company.founded,
            "city": company.place.city,
            "state": company.place.state,
            "country": company.place.country,
            "short_description": f"{company.name} works in {company.industry} from {company.place.city}.",
        },
        "is_likely_to_engage": person.verified,
        "departments": [person.department],
        "subdepartments": [],
        "seniority": person.seniority,
        "functions": [],
        "show_intent": False,
        "revealed_for_current_team": True,
    }


def row(person: Person) -> dict[str, object]:
    """Return a search result: no address, no phone, no full surname."""
    last = person.last_name
    return {
        "id": person.id,
        "first_name": person.first_name,
        "last_name_obfuscated": f"{last[:2]}***{last[-1]}" if len(last) > 3 else f"{last[: len(last) - 1]}***",
        "title": person.title,
        "last_refreshed_at": f"2026-10-{1 + person.number % 28:02d}T08:00:00.000+00:00",
        "has_email": person.email is not None,
        "has_city": True,
        "has_state": True,
        "has_country": True,
        "has_direct_phone": "Yes" if person.number % 3 else "Maybe: please request direct dial via people/bulk_match",
        "organization": {
            "name": person.company.name,
            "has_industry": True,
            "has_phone": person.company.number % 2 == 0,
            "has_city": True,
            "has_state": True,
            "has_country": True,
            "has_zip_code": False,
            "has_revenue": False,
            "has_employee_count": True,
        },
    }
