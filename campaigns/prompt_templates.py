"""An operator's prompts are templates: these are the standard ones, their placeholders, and what is wrong with one.
Pure."""

import re

from django.core.exceptions import ValidationError

from circuitbreakers.characters import IN_A_TEMPLATE

RESEARCH_PROMPT = """\
Research {first_name} {last_name}, {title} at {company} ({company_domain}), for a first business e-mail to them.
Find what the company sells and to whom, what it is working on at present, and what {first_name} is likely to be \
responsible for there. Prefer the company's own pages and news of the last twelve months.
Answer in at most eight plain sentences. State only what you found; where you found nothing, say so. Do not speculate \
about the person's private life.
"""

MAIL_PROMPT = """\
Write a short first business e-mail to {first_name} {last_name}, {title} at {company}.
Begin with one specific observation from {research}. Then say in one or two sentences that we take manual work out of \
the processes of companies like theirs. End with one question that can be answered in a word.
At most 120 words, plain text, in a friendly and sober tone, no flattery, no exclamation marks. Greet with the first \
name. Close with "Kind regards" and no name: the signature is added when the mail is sent.
"""

# Field of the record, which is also its placeholder: characters of it that are sent at most.
LEAD_FIELDS = {
    "first_name": 80,
    "last_name": 80,
    "title": 200,
    "company": 150,
    "company_domain": 100,
    "headline": 300,
    "seniority": 50,
    "departments": 150,
    "industry": 100,
    "employees": 30,
    "keywords": 400,
    "linkedin_url": 200,
    "city": 100,
    "state": 100,
    "country": 100,
}

COMPANY_FIELDS = frozenset({"company", "company_domain", "industry", "employees", "keywords"})

PLACEHOLDERS = {
    "research": (*LEAD_FIELDS, "email"),
    "mail": (*LEAD_FIELDS, "email", "research"),
}

MAX_TEMPLATE = 8000

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

DOUBLED = re.compile(r"\{\{\s*(\w*)\s*\}\}")


def validate_template(text: str, kind: str) -> list[str]:
    """Say what is wrong with a template, as sentences for its author; empty if nothing is. Blank means the standard
    one."""
    allowed = PLACEHOLDERS[kind]
    problems: list[str] = []
    if len(text) > MAX_TEMPLATE:
        problems.append(f"The prompt has {len(text):,} characters; at most {MAX_TEMPLATE:,} are allowed.")
    if odd := IN_A_TEMPLATE.search(text):
        problems.append(f"The prompt contains the character U+{ord(odd[0]):04X}, which cannot be stored or sent.")
    for name in dict.fromkeys(DOUBLED.findall(text)):
        problems.append(f"Write {{{name or 'first_name'}}} with single braces.")
    single = DOUBLED.sub("", text)
    for name in dict.fromkeys(PLACEHOLDER.findall(single)):
        if name not in allowed:
            why = " It exists in the mail prompt only." if name == "research" else ""
            problems.append(f"There is no placeholder {{{name[:60]}}}.{why} Use: {', '.join(allowed)}.")
    if re.search(r"[{}]", PLACEHOLDER.sub("", single)):
        problems.append("A brace { or } has no partner. Braces are for placeholders such as {first_name} only.")
    return problems


def clean_template(text: str, kind: str) -> str:
    """Return the template as it is stored, for a form's or serializer's clean; raises ValidationError with every
    problem."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if problems := validate_template(text, kind):
        raise ValidationError(problems)
    return text
