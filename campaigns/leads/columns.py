"""This table says what a CSV's columns mean: one line a field, one word more for a header that nobody knew.

`headers.py` finds the header and looks at the cells; here only names count.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

# field: (label for a form, headers in order of preference, as `key` makes them: no case, accents, blanks, punctuation).
# The first of a field's columns that is not empty in a row wins: "Acme" for mails, or else "Acme Holdings, Inc.".
# A header that is not here is tried without digits ("Email 2") and without whose it is ("Person - Email").
TABLE: dict[str, tuple[str, str]] = {
    "email": (
        "E-mail address",
        "email emailaddress workemail businessemail companyemail professionalemail primaryemail recommendedemail"
        " recommendedworkemail finalemail verifiedemail emailvalue emailwork emailother workemailaddress"
        " businessemailaddress emailid leademail useremail mail mailaddress emailadresse mailadresse"
        " geschaftlicheemail emailgeschaftlich firmenemail adresseemail adressemail courriel correo"
        " correoelectronico direccioncorreo indirizzoemail emailadres directemail otheremail"
        " supplementalemail secondaryemail tertiaryemail"
        " additionalemail additionalemails alternateemail alternativeemail secondaryemailaddress",
    ),
    "first_name": ("First name", "firstname givenname forename leadfirstname fname vorname prenom nombre voornaam"),
    "last_name": (
        "Last name",
        "lastname surname familyname leadlastname lname nachname familienname nomdefamille apellido apellidos cognome"
        " achternaam",
    ),
    "name": (
        "Full name, to be split",
        "fullname name contactname personname leadname displayname vollername nomcomplet",
    ),
    "title": (
        "Job title",
        "jobtitle position currenttitle currentposition currentjobtitle jobposition"
        " organizationtitle organisationtitle berufsbezeichnung stellenbezeichnung jobtitel funktion poste cargo"
        " functie title titel fonction jobrole role",
    ),
    "company": (
        "Company",
        "companynameforemails companynamecleaned cleanedcompanyname companyname company organizationname"
        " organisationname organization organisation accountname account companyaccount employer currentemployer"
        " currentcompany currentcompanyname currentorganization employername associatedcompany associatedcompanyname"
        " primaryassociatedcompany primarycompany leadcompany firma firmenname unternehmen societe entreprise empresa"
        " azienda bedrijf bedrijfsnaam",
    ),
    "website": (
        "Company's website or domain",
        "website companywebsite websiteurl companydomain domain domainname companydomainname companywebsiteurl"
        " companyurl websitevalue organizationwebsite organisationwebsite organizationdomain currentemployerwebsite"
        " currentemployerdomain employerwebsite accountwebsite webpage homepage webseite internetseite siteweb"
        " sitioweb",
    ),
    "apollo_id": ("Apollo's id of the person", "apollocontactid apolloid apollopersonid apollorecordid"),
    "opted_out": (
        "Wants no mail (rows with a yes are skipped)",
        "unsubscribed optout optedout emailoptout emailoptedout hasoptedoutofemail optedoutofemail donotcontact"
        " donotemail donotmail donotbulkemail suppressed blocklisted blacklisted abgemeldet abbestellt desinscrit",
    ),
    "subscribed": (
        "Takes mail (rows with a no are skipped)",
        "subscribed issubscribed emailsubscribed optin optedin emailoptin emailoptedin marketingoptin consent"
        " marketingconsent emailconsent emailpermission emailpermissionstatus permissionstatus subscription"
        " subscriptionstatus emailsubscriptionstatus subscriberstatus emailmarketingstatus marketingstatus"
        " emailmarketingconsent acceptsmarketing acceptsemailmarketing angemeldet einwilligung",
    ),
    "status": ("Status (rows that say unsubscribed are skipped)", "status leadstatus memberstatus"),
    "email_status": ("E-mail status", "emailstatus emailverificationstatus emailvalidationstatus"),
    "email_confidence": ("Confidence in the address", "confidencescore emailconfidence emailscore confidence"),
    "headline": ("Headline", "headline linkedinheadline"),
    "seniority": ("Seniority", "seniority senioritylevel joblevel managementlevel"),
    "departments": ("Departments", "departments department organizationdepartment jobfunction abteilung"),
    "linkedin_url": (
        "LinkedIn profile",
        "personlinkedinurl linkedinurl linkedin linkedinprofile linkedinprofileurl contactlinkedinurl personlinkedin"
        " contactliprofileurl linkedincontactprofileurl liprofileurl linkedinlink",
    ),
    "city": ("City", "city mailingcity addresscity businesscity stadt ort"),
    "state": ("State or region", "state region stateregion stateprovince mailingstate mailingstateprovince bundesland"),
    "country": ("Country", "country countryregion mailingcountry addresscountry businesscountryregion land"),
    "industry": ("Industry", "industry companyindustry primaryindustry organizationindustry branche"),
    "keywords": ("Keywords", "keywords"),
    "employees": (
        "Employees",
        "employees numberofemployees employeecount companysize companystaffcount companyemployeecount mitarbeiter",
    ),
    "annual_revenue": ("Annual revenue", "annualrevenue"),
    "technologies": ("Technologies", "technologies"),
}
FIELDS: dict[str, str] = {name: label for name, (label, _) in TABLE.items()}
# Kept in Lead.data under these names; the others have a column of their own or none.
DATA_FIELDS = tuple(FIELDS)[list(FIELDS).index("email_status") :]
MEANING = {name: (place, rank) for place, (_, names) in TABLE.items() for rank, name in enumerate(names.split())}

WHOSE = re.compile(r"(?:person|contact|kontakt|prospect|recipient|empfanger)(?=\w)")
# "Unsubscribed from all email", "Opted out of email: Marketing", "Do not contact (GDPR)"; but not "Unsubscribe link".
OPTED_OUT = re.compile(r"unsub|optedout|optout|do(?:es)?not(?:contact|e?mail)|dontcontact|donotallow(?:bulk)?email")
NO_FLAG = re.compile(r"link|url|token|page|rate$")
# In Outlook's export this is "Ms."; a file with a better column for the job keeps it out.
SALUTATION_HEADERS = frozenset({"title", "titel"})


@dataclass(frozen=True)
class Columns:
    """This says which columns of a file mean what; `positions`: field -> its columns (0-based), best first.
    `recognised`: header -> field. `ignored`: headers.

    `guessed`: those of the recognised whose header says nothing: their cells do.
    """

    positions: dict[str, list[int]]
    recognised: dict[str, str]
    ignored: list[str]
    guessed: list[str] = field(default_factory=list)


def key(header: str) -> str:
    """Fold a header: `# Employees`, `employees` and `EMPLOYEES ` are one; so are `Prénom` and `Prenom`."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKD", header).casefold())


def meaning(header: str) -> tuple[str, int] | None:
    """Return (field, rank within it) by the header's name alone; a lower rank is preferred."""
    name = key(header)
    digits = re.sub(r"\D", "", name)
    plain = re.sub(r"\d", "", name)
    for less, candidate in enumerate((name, plain, WHOSE.sub("", name, count=1), WHOSE.sub("", plain, count=1))):
        if candidate in MEANING:
            field, rank = MEANING[candidate]
            return field, rank + (0 if not less else 100 * less + min(int(digits[:3] or 0), 99))
    if OPTED_OUT.search(name) and not NO_FLAG.search(name):
        return "opted_out", 0
    return None


def match(header: list[str], mapping: Mapping[str, str] | None = None) -> Columns:
    """Say what each column of `header` means. `mapping` (header -> field, '' to ignore it) beats what we would
    recognise.

    A column that the mapping names comes before one that is only recognised. ValueError for a field or header that
    does not exist.
    """
    mapping = mapping or {}
    if unknown := [name for name in mapping.values() if name and name not in FIELDS]:
        raise ValueError(f"There is no field {unknown[0]!r}. The fields are: {', '.join(FIELDS)}.")
    if missing := [name for name in mapping if name not in header]:
        raise ValueError(f"There is no column {missing[0]!r}. The file has: {list_of(header)}.")
    chosen: list[tuple[int, int, str]] = []  # preference, position, field
    for position, name in enumerate(header):
        field, rank = (mapping[name], -1) if name in mapping else meaning(name) or ("", 0)
        if field:
            chosen.append((rank, position, field))
    best = min((rank for rank, _, name in chosen if name == "title"), default=0)
    chosen = [
        (rank, position, name)
        for rank, position, name in chosen
        if rank <= best or name != "title" or key(header[position]) not in SALUTATION_HEADERS
    ]
    return settled(header, chosen)


def settled(header: list[str], chosen: list[tuple[int, int, str]], guessed: list[int] | None = None) -> Columns:
    """Make columns of these choices: (preference, position, field)."""
    positions: dict[str, list[int]] = {}
    for _, position, name in sorted(chosen):
        positions.setdefault(name, []).append(position)
    used = {position: name for _, position, name in chosen}
    return Columns(
        positions=positions,
        recognised={header[position]: used[position] for position in sorted(used)},
        ignored=[name for position, name in enumerate(header) if position not in used],
        guessed=[header[position] for position in guessed or []],
    )


def list_of(header: list[str], most: int = 20) -> str:
    """List headers for a message: quoted, and not hundreds of them."""
    shown = ", ".join(f"“{name[:40]}”" for name in header[:most])
    return f"{shown} and {len(header) - most} more" if len(header) > most else shown
