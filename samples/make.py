"""Writes people.csv beside this file: an invented export in Apollo's format, 500 rows with real data's blemishes.

Always the same bytes. Every domain lies under .example, which RFC 2606 reserves: nobody can be written to.
"""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROWS = 500
HEADER = [
    "First Name", "Last Name", "Title", "Company Name", "Company Name for Emails", "Email", "Email Status",
    "Primary Email Source", "Email Confidence", "Primary Email Catch-all Status", "Primary Email Last Verified At",
    "Seniority", "Departments", "Contact Owner", "Work Direct Phone", "Corporate Phone", "Stage", "Lists",
    "Account Owner", "# Employees", "Industry", "Keywords", "Person Linkedin Url", "Website", "Company Linkedin Url",
    "City", "State", "Country", "Company Address", "Technologies", "Annual Revenue", "Apollo Contact Id",
    "Apollo Account Id",
]  # fmt: skip

# A name as its bearer writes it, and as it appears in an address.
LATIN = (
    "Ida/Locke Tom/Barnes Grace/Whitfield Oliver/Carver Amelia/Ellery Jack/Marsh Ruby/Thornton Henry/Holloway "
    "Alice/Pike George/Winslow Nora/Ashby Arthur/Fenwick Daisy/Garland Leo/Huxley Violet/Kemp Owen/Lowry Martha/Merton "
    "Ralph/Norwood Edith/Osgood Simon/Prescott Clara/Quill Hugo/Radley Pearl/Selby Miles/Tilden Ivy/Upton "
    "Felix/Vance Wendy/Wexford"
)
FIRST, LAST = zip(*(pair.split("/") for pair in LATIN.split()), strict=True)
ACCENTED = (
    ("José", "García Ibáñez", "jose.garcia"), ("Zoë", "Müller", "zoe.mueller"),
    ("François", "Lefèvre", "francois.lefevre"),
    ("Søren", "Øster", "soeren.oester"), ("Łukasz", "Żuraw", "lukasz.zuraw"),
    ("Małgorzata", "Kowalczyk", "m.kowalczyk"),
    ("Björn", "Strauß", "bjoern.strauss"), ("Élodie", "D'Angelo", "elodie.d'angelo"), ("Jiří", "Novák", "jiri.novak"),
    ("Åsa", "Håkansson", "asa.hakansson"), ("Siobhán", "O'Connor-Weiß", "siobhan.oconnor-weiss"),
    ("İpek", "Çelik", "ipek.celik"), ("Nguyễn", "Thị Hạnh", "hanh.nguyen"),
)  # fmt: skip
OTHER_SCRIPTS = (
    ("נועה", "כהן", "noa.cohen"), ("عمر", "حداد", "omar.haddad"), ("ليلى", "منصور", "layla.mansour"),
    ("美咲", "田中", "misaki.tanaka"), ("小龙", "王", "xiaolong.wang"), ("지우", "김", "jiwoo.kim"),
    ("Олена", "Шевченко", "olena.shevchenko"), ("Ελένη", "Παππά", "eleni.pappa"),
)  # fmt: skip
EMOJI = ("🚀", "💪", "🦄", "👩‍💻")
ROLES = (
    ("Founder & CEO", "Founder", "C-Suite"), ("Owner", "Owner", "C-Suite"), ("CTO", "C suite", "C-Suite"),
    ("Chief Financial Officer", "C suite", "C-Suite, Finance"), ("VP of Sales", "Vp", "Sales"),
    ("VP, Marketing", "Vp", "Marketing"), ("Head of Operations", "Head", "Operations"),
    ("Director of Engineering", "Director", "Engineering & Technical"), ("Plant Manager", "Manager", "Operations"),
    ('Account Executive "Enterprise"', "Senior", "Sales"), ("Procurement Lead", "Senior", "Operations"),
)  # fmt: skip
WORDS = (
    "Amber",
    "Birch",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbor",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lumen",
)
TRADES = (
    ("Robotics", "mechanical or industrial engineering"), ("Logistics", "logistics & supply chain"),
    ("Foods", "food & beverages"), ("Software", "information technology & services"),
    ("Health", "hospital & health care"),
    ("Textiles", "textiles"), ("Energy", "renewables & environment"), ("Finance", "financial services"),
    ("Studios", "design"), ("Tools", "machinery"),
)  # fmt: skip
FORMS = (", Inc.", " GmbH", " Ltd", " S.A.", " LLC", "")
PLACES = (
    ("Lisbon", "Lisbon", "Portugal"), ("Leeds", "England", "United Kingdom"), ("Austin", "Texas", "United States"),
    ("Zürich", "Zurich", "Switzerland"), ("São Paulo", "State of São Paulo", "Brazil"),
    ("Kraków", "Lesser Poland", "Poland"),
    ("Tel Aviv-Yafo", "Tel Aviv District", "Israel"), ("Osaka", "Osaka", "Japan"), ("Toronto", "Ontario", "Canada"),
)  # fmt: skip
FORMULAS = ("=1+1", '=HYPERLINK("https://trap.example","Ida")', "+Growth", "-Interim CFO-", "@home")
ROLE_ADDRESSES = ("info", "sales", "office", "contact", "hello")
LONG_TITLE = (
    "Senior Vice President of Global Sales, Marketing, Partnerships and Customer Success, responsible for EMEA, "
)
MALFORMED = (
    "ida.locke@",
    "n/a",
    "tom barnes at ember-foods.example",
    "grace@@harbor.example",
    "leo@localhost",
    "a@b.example,c@d.example",
)


def chance(*what: object) -> int:
    """A large number that depends on nothing but `what`."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, what)).encode()).digest()[:12], "big")


def pick(options: Sequence[T], *what: object) -> T:
    return options[chance(*what) % len(options)]


def company(number: int) -> dict[str, str]:
    word, (trade, industry) = pick(WORDS, "word", number), pick(TRADES, "trade", number)
    domain = f"{word}-{trade}-{number}.example".lower()
    city, state, country = pick(PLACES, "place", number)
    size = 5 + chance("size", number) % 4000
    return {
        "Company Name": f"{word} {trade}{pick(FORMS, 'form', number)}",
        "Company Name for Emails": f"{word} {trade}",
        "# Employees": str(size),
        "Industry": industry,
        "Keywords": f"{industry}, {trade.lower()}, b2b, {word.lower()} {trade.lower()}",
        "Website": f"http://www.{domain}",
        "Company Linkedin Url": f"http://www.linkedin.example/company/{word}-{trade}-{number}".lower(),
        "City": city,
        "State": state,
        "Country": country,
        "Company Address": f"{1 + size % 200} High Street,\n{city}, {country}",
        "Technologies": "Outlook, WordPress.org, Google Analytics",
        "Annual Revenue": str(size * 110_000),
        "Apollo Account Id": f"{chance('account', number):024x}",
    }


def person(number: int) -> dict[str, str]:
    """Row `number` without a blemish of its own, apart from what its bearer is called."""
    employer = company(chance("employer", number) % 180)
    if number % 11 == 3:
        first, last, local = pick(ACCENTED, "accented", number)
    elif number % 17 == 5:
        first, last, local = pick(OTHER_SCRIPTS, "script", number)
    else:
        first, last = pick(FIRST, "first", number), pick(LAST, "last", number)
        local = f"{first}.{last}".lower()
    title, seniority, departments = pick(ROLES, "role", number)
    domain = employer["Website"].removeprefix("http://www.")
    return employer | {
        "First Name": first,
        "Last Name": last,
        "Title": title,
        "Email": f"{local}{number}@{domain}",
        "Email Status": "Verified",
        "Primary Email Source": "Apollo",
        "Email Confidence": "",
        "Primary Email Catch-all Status": "Not Catch-all",
        "Primary Email Last Verified At": f"2026-10-{1 + number % 28:02d}T08:00:00+00:00",
        "Seniority": seniority,
        "Departments": departments,
        "Contact Owner": "operator@holdfast.example",
        "Corporate Phone": f"'+1 555-{chance('phone', number) % 10_000:04d}",
        "Stage": "Cold",
        "Lists": "Autumn",
        "Account Owner": "operator@holdfast.example",
        "Person Linkedin Url": f"http://www.linkedin.example/in/person-{number:04d}",
        "Apollo Contact Id": f"{chance('contact', number):024x}",
    }


def blemish(number: int, row: dict[str, str], earlier: list[dict[str, str]]) -> dict[str, str]:
    """What happens to exports: by the row's number, so that each kind is there and none is everywhere."""
    match number % 50:
        case 7:
            return dict(earlier[number - 7])  # exported twice
        case 13 | 31:
            return row | {"Email": "", "Email Status": "Unavailable"}
        case 19:  # the same address, written differently, under another id
            return row | {"Email": earlier[number - 13]["Email"].upper() + " "}
        case 22:
            first, _, rest = row["Email"].partition(".")
            return row | {"Email": f"{first.title()}.{rest.title()}"}
        case 26:
            return row | {"Title": f"{row['Title']}\nand board member", "Last Name": f"{row['Last Name']}\r\n"}
        case 29:
            return row | {"Title": (LONG_TITLE * 3)[:300]}
        case 33:
            local = pick(ROLE_ADDRESSES, "role address", number)
            return row | {"Email": f"{local}@{row['Email'].partition('@')[2]}", "First Name": "", "Last Name": ""}
        case 37:
            return row | {"Title": pick(FORMULAS, "formula", number), "First Name": f"{row['First Name']} "}
        case 41:
            return row | {"First Name": f"{row['First Name']} {pick(EMOJI, 'emoji', number)}"}
        case 44 if number % 100 == 44:
            return row | {"Email": pick(MALFORMED, "malformed", number)}
        case 47:
            return row | {"Email Status": "Extrapolated", "Primary Email Catch-all Status": "Catch-all", "Website": ""}
        case 48 if number % 100 == 48:
            return row | {"Email": row["Email"].replace("@", "@büro-")}
    return row


def main() -> None:
    rows: list[dict[str, str]] = []
    for number in range(ROWS):
        rows.append(blemish(number, person(number), rows))
    with (Path(__file__).parent / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
