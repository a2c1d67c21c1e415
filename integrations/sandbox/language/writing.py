"""The two language services write a research note or a mail, which names the lead that the prompt is about."""

import re
from dataclasses import dataclass

from integrations.sandbox.exchange import digest
from integrations.sandbox.world.companies import pick

ADDRESS = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
# `Company: Amber Robotics`, `- first name = Ida`, `"company_name": "Amber Robotics"`.
LABELLED = re.compile(
    r"""(?im)^[\s{,*>-]*["']?(?P<label>[\w -]{2,30}?)["']?\s*[:=]\s*["']?(?P<value>[^\n"]{1,200}?)["',;}\s]*$"""
)
COMPANY_LABELS = frozenset({"company", "company name", "organization", "organization name", "organisation", "employer"})
PERSON_LABELS = frozenset({"name", "full name", "person", "lead", "contact", "recipient", "prospect"})
FIRST_NAME_LABELS = frozenset({"first name", "firstname", "given name"})
MAX_NAME = 80

PURSUITS = (
    "expanding into two new regions",
    "hiring for its operations team",
    "moving its reporting to a single platform",
    "opening a second site",
    "shortening its delivery times",
    "preparing the launch of a new product line",
    "replacing spreadsheets in its back office",
)
STRENGTHS = (
    "a loyal base of mid-sized customers",
    "careful engineering",
    "fast support",
    "a strong partner network",
    "transparent pricing",
)
OPENINGS = (
    "I noticed that {company} has been growing, and it made me think of you.",
    "Teams like yours at {company} often tell us how much time manual follow-up costs.",
    "What {company} has built is impressive, and there may be a way to make it easier to run.",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject is whom a prompt is about. `key` is what the bill counts: the first e-mail address in the prompt, in
    lower case, or `input:` and a hash of the prompt where there is none. `tag` is the address's plus-tag, which tests
    steer by."""

    key: str
    person: str
    company: str
    tag: str = ""


def subject_of(prompt: str) -> Subject:
    """Read whom a prompt is about: labelled lines first, then what the address itself gives away, then neutral
    words."""
    labels = {
        match["label"].strip().lower().replace("_", " "): clean(match["value"]) for match in LABELLED.finditer(prompt)
    }

    def labelled(wanted: frozenset[str]) -> str:
        return next((value for label, value in labels.items() if label in wanted and value), "")

    person = labelled(FIRST_NAME_LABELS) or labelled(PERSON_LABELS)
    company = labelled(COMPANY_LABELS)
    if not (found := ADDRESS.search(prompt)):
        key = f"input:{digest('prompt', prompt):032x}"[:22]
        return Subject(key, person or "there", company or "your company")
    address = found[0].lower().strip(".'-")
    local, _, domain = address.partition("@")
    name, _, tag = local.partition("+")
    return Subject(
        key=address,
        person=person or clean(name.replace(".", " ").replace("_", " ").title()) or "there",
        company=company or clean(domain.split(".")[0].replace("-", " ").title()) or "your company",
        tag=tag,
    )


def clean(text: str) -> str:
    """Make a name fit to be quoted: no line breaks, braces, markup or links, and not long."""
    if "://" in text or "www." in text:
        return ""
    return re.sub(r"\s+", " ", re.sub(r"[<>{}\[\]|\\`]", "", text)).strip()[:MAX_NAME].strip()


def research(subject: Subject) -> str:
    """Write three sentences with the marks of two sources."""
    chance = digest("research", subject.key, subject.company)
    return (
        f"{subject.company} is known for {pick(STRENGTHS, chance)} [1]. "
        f"The company is currently {pick(PURSUITS, chance // 100)} [2]. "
        f"{subject.person} is among the people who would feel the effect first [1]."
    )


def mail_subject(subject: Subject) -> str:
    return pick(
        (
            f"A thought for {subject.company}",
            f"Less manual work at {subject.company}",
            f"Question about {subject.company}",
        ),
        digest("subject", subject.key),
    )


def mail_body(subject: Subject) -> str:
    """Write plain text without a link and without a placeholder."""
    chance = digest("body", subject.key)
    opening = pick(OPENINGS, chance).format(company=subject.company)
    return (
        f"Hi {subject.person.split()[0]},\n\n{opening} We help companies that are {pick(PURSUITS, chance // 100)} "
        "to keep their outreach careful and their books balanced, without adding another tool to look after.\n\n"
        "Would a short call next week be of interest? If not, a one-word answer is fine and I will not write again.\n\n"
        "Kind regards"
    )


def tokens(text: str) -> int:
    """Count about four characters a token, as the vendors' own guides estimate for English."""
    return len(text) // 4 + 1
