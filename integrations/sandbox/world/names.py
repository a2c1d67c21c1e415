"""Invented people and companies are drawn from these lists."""

from typing import NamedTuple


class Name(NamedTuple):
    """A name stands as its bearer writes it, and as it appears in an address."""

    written: str
    latin: str


class Place(NamedTuple):
    city: str
    state: str
    country: str


def _same(names: str) -> list[Name]:
    return [Name(name, name.lower()) for name in names.split()]


def _pairs(names: str) -> list[Name]:
    return [Name(*pair.split("/")) for pair in names.split()]


# One list of first and one of family names per culture; a person's two names come from the same one.
CULTURES: dict[str, tuple[list[Name], list[Name]]] = {
    "english": (
        _same(
            "Ida Tom Grace Oliver Amelia Jack Ruby Henry Alice George Nora Arthur Daisy Leo Violet Owen Martha Ralph"
            " Edith Simon Clara Hugo Pearl Miles Ivy Felix Wendy Oscar Hazel Max"
        ),
        _same(
            "Locke Barnes Whitfield Carver Ellery Marsh Thornton Holloway Pike Winslow Ashby Fenwick Garland Huxley"
            " Kemp Lowry Merton Norwood Osgood Prescott Quill Radley Selby Tilden Upton Vance Wexford"
            " Yardley Drake Birch"
        ),
    ),
    "continental": (
        _pairs(
            "José/jose Zoë/zoe François/francois Jürgen/juergen Søren/soeren Łukasz/lukasz Åsa/asa Renée/renee"
            " Björn/bjoern Núria/nuria Chloé/chloe Jiří/jiri Małgorzata/malgorzata Günther/guenther Élodie/elodie"
            " Ángel/angel Ömer/oemer Şule/sule"
        ),
        _pairs(
            "Müller/mueller García/garcia Nuñez/nunez Lefèvre/lefevre Øster/oester Kowalczyk/kowalczyk Çelik/celik"
            " Strauß/strauss Håkansson/hakansson Novák/novak Żuraw/zuraw Béranger/beranger D'Angelo/dangelo"
            " O'Connor-Weiß/oconnor-weiss Szőke/szoke Ibáñez/ibanez"
        ),
    ),
    "hebrew": (
        _pairs("נועה/noa אורי/uri תמר/tamar איתן/eitan שירה/shira יוסף/yosef"),
        _pairs("כהן/cohen לוי/levi מזרחי/mizrahi פרידמן/friedman ברק/barak"),
    ),
    "arabic": (
        _pairs("ليلى/layla عمر/omar فاطمة/fatima يوسف/yusuf سلمى/salma خالد/khaled"),
        _pairs("حداد/haddad منصور/mansour الخطيب/alkhatib نجار/najjar سليمان/sulaiman"),
    ),
    "eastern": (
        _pairs("美咲/misaki 健太/kenta 小龙/xiaolong 지우/jiwoo Олена/olena Дмитро/dmytro"),
        _pairs("田中/tanaka 王/wang 김/kim Шевченко/shevchenko 佐藤/sato Коваль/koval"),
    ),
}

# How often each culture comes up, out of a hundred.
WEIGHTS = (("english", 70), ("continental", 20), ("hebrew", 3), ("arabic", 3), ("eastern", 4))

EMOJI = ("🚀", "💪", "🦄", "☕", "👩‍💻")

# title, seniority (Apollo's words), department
ROLES = (
    ("Founder & CEO", "founder", "c_suite"),
    ("Owner", "owner", "c_suite"),
    ("Chief Technology Officer", "c_suite", "c_suite"),
    ("CTO", "c_suite", "c_suite"),
    ("Chief Financial Officer", "c_suite", "c_suite"),
    ("Managing Partner", "partner", "c_suite"),
    ("VP of Sales", "vp", "master_sales"),
    ("VP of Marketing", "vp", "master_marketing"),
    ("VP of Engineering", "vp", "master_engineering_technical"),
    ("Head of Data", "head", "master_engineering_technical"),
    ("Head of Growth", "head", "master_marketing"),
    ("Head of Procurement", "head", "master_operations"),
    ("Director of Operations", "director", "master_operations"),
    ("Director of People", "director", "master_human_resources"),
    ("Director of Sales", "director", "master_sales"),
    ("Engineering Manager", "manager", "master_engineering_technical"),
    ("Marketing Manager", "manager", "master_marketing"),
    ("Sales Manager", "manager", "master_sales"),
    ("Office Manager", "manager", "master_operations"),
    ("Senior Software Engineer", "senior", "master_engineering_technical"),
    ("Senior Buyer", "senior", "master_operations"),
    ("Account Executive", "entry", "master_sales"),
    ("Data Analyst", "entry", "master_engineering_technical"),
    ("Recruiter", "entry", "master_human_resources"),
    ("Marketing Intern", "intern", "master_marketing"),
)

PLACES = (
    Place("Boston", "Massachusetts", "United States"),
    Place("Austin", "Texas", "United States"),
    Place("Denver", "Colorado", "United States"),
    Place("Seattle", "Washington", "United States"),
    Place("Chicago", "Illinois", "United States"),
    Place("London", "England", "United Kingdom"),
    Place("Leeds", "England", "United Kingdom"),
    Place("Edinburgh", "Scotland", "United Kingdom"),
    Place("Toronto", "Ontario", "Canada"),
    Place("Berlin", "Berlin", "Germany"),
    Place("Munich", "Bavaria", "Germany"),
    Place("Paris", "Ile-de-France", "France"),
    Place("Lyon", "Auvergne-Rhone-Alpes", "France"),
    Place("Madrid", "Community of Madrid", "Spain"),
    Place("Warsaw", "Masovian", "Poland"),
    Place("Copenhagen", "Capital Region", "Denmark"),
    Place("Stockholm", "Stockholm County", "Sweden"),
    Place("Tel Aviv", "Tel Aviv District", "Israel"),
    Place("Dubai", "Dubai", "United Arab Emirates"),
    Place("Tokyo", "Tokyo", "Japan"),
    Place("Sydney", "New South Wales", "Australia"),
    Place("Bengaluru", "Karnataka", "India"),
)

# Forty first words by a hundred second words: four thousand companies, each with a name of its own.
FIRST_WORDS = [
    "Amber",
    "Northern",
    "Copper",
    "Silver",
    "Harbor",
    "Cedar",
    "Summit",
    "Blue",
    "Granite",
    "Willow",
    "Falcon",
    "Bright",
    "Iron",
    "Maple",
    "River",
    "Stone",
    "Velvet",
    "Zenith",
    "Arctic",
    "Beacon",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Golden",
    "Hollow",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lunar",
    "Meadow",
    "Nimbus",
    "Orchard",
    "Prairie",
    "Quartz",
    "Raven",
    "Saffron",
    "Timber",
    "Umber",
    "Verdant",
]
TRADES = (
    ("Robotics", "industrial automation"),
    ("Analytics", "information technology & services"),
    ("Logistics", "logistics & supply chain"),
    ("Foods", "food & beverages"),
    ("Energy", "renewables & environment"),
    ("Health", "hospital & health care"),
    ("Media", "marketing & advertising"),
    ("Capital", "financial services"),
    ("Learning", "e-learning"),
    ("Textiles", "apparel & fashion"),
)
KINDS = ("", "Works", "Partners", "Systems", "Group", "Labs", "Trading", "Studio", "Supply", "Collective")
