"""What a CSV's columns mean: the headers of Apollo's export and their common relatives."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# field: (label for a form, headers in order of preference, compared without case, blanks and punctuation).
# The first of a field's columns that is not empty in a row wins: "Acme" for mails, or else "Acme Holdings, Inc.".
FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "email": (
        "E-mail address",
        ("email", "emailaddress", "workemail", "businessemail", "companyemail", "primaryemail", "contactemail", "mail"),
    ),
    "first_name": ("First name", ("firstname", "givenname", "forename", "vorname", "prenom")),
    "last_name": ("Last name", ("lastname", "surname", "familyname", "nachname")),
    "name": ("Full name, to be split", ("fullname", "name", "contactname", "personname")),
    "title": ("Job title", ("title", "jobtitle", "position", "currenttitle")),
    "company": (
        "Company",
        (
            "companynameforemails",
            "companyname",
            "company",
            "organizationname",
            "organisationname",
            "organization",
            "organisation",
            "accountname",
            "account",
            "employer",
        ),
    ),
    "website": ("Company's website or domain", ("website", "companywebsite", "websiteurl", "companydomain", "domain")),
    "apollo_id": ("Apollo's id of the person", ("apollocontactid", "apolloid", "apollopersonid", "apollorecordid")),
    "email_status": ("E-mail status", ("emailstatus",)),
    "headline": ("Headline", ("headline",)),
    "seniority": ("Seniority", ("seniority",)),
    "departments": ("Departments", ("departments", "department")),
    "linkedin_url": (
        "LinkedIn profile",
        ("personlinkedinurl", "linkedinurl", "linkedin", "linkedinprofile", "contactlinkedinurl"),
    ),
    "city": ("City", ("city",)),
    "state": ("State or region", ("state", "region")),
    "country": ("Country", ("country",)),
    "industry": ("Industry", ("industry",)),
    "keywords": ("Keywords", ("keywords",)),
    "employees": ("Employees", ("employees", "numberofemployees", "employeecount", "companysize")),
    "annual_revenue": ("Annual revenue", ("annualrevenue",)),
    "technologies": ("Technologies", ("technologies",)),
}
# Kept in Lead.data under these names; the other fields have a column of their own.
DATA_FIELDS = tuple(FIELDS)[list(FIELDS).index("email_status") :]
MEANING = {name: (field, rank) for field, (_, names) in FIELDS.items() for rank, name in enumerate(names)}


@dataclass(frozen=True)
class Columns:
    """`positions`: field -> its columns (0-based), best first. `recognised`: header -> field. `ignored`: headers."""

    positions: dict[str, list[int]]
    recognised: dict[str, str]
    ignored: list[str]


def key(header: str) -> str:
    """`# Employees`, `employees` and `EMPLOYEES ` are one."""
    return re.sub(r"[\W_]+", "", header.casefold())


def match(header: list[str], mapping: Mapping[str, str] | None = None) -> Columns:
    """What each column of `header` means. `mapping` (header -> field, '' to ignore it) beats what we would recognise.

    A column that the mapping names comes before one that is only recognised. ValueError for a field or header that
    does not exist.
    """
    mapping = mapping or {}
    if unknown := [field for field in mapping.values() if field and field not in FIELDS]:
        raise ValueError(f"There is no field {unknown[0]!r}. The fields are: {', '.join(FIELDS)}.")
    if missing := [name for name in mapping if name not in header]:
        raise ValueError(f"There is no column {missing[0]!r}. The file has: {list_of(header)}.")
    chosen: list[tuple[int, int, str]] = []  # preference, position, field
    for position, name in enumerate(header):
        if name in mapping:
            field, rank = mapping[name], -1
        else:
            field, rank = MEANING.get(key(name), ("", 0))
        if field:
            chosen.append((rank, position, field))
    positions: dict[str, list[int]] = {}
    for _, position, field in sorted(chosen):
        positions.setdefault(field, []).append(position)
    used = {position: field for _, position, field in chosen}
    return Columns(
        positions=positions,
        recognised={header[position]: used[position] for position in sorted(used)},
        ignored=[name for position, name in enumerate(header) if position not in used],
    )


def list_of(header: list[str], most: int = 20) -> str:
    """Headers for a message: quoted, and not hundreds of them."""
    shown = ", ".join(f"“{name[:40]}”" for name in header[:most])
    return f"{shown} and {len(header) - most} more" if len(header) > most else shown
