"""A written mail is checked here before it is pushed for what it must not contain: gaps, markup, and links that nobody
gave."""

import re

from campaigns.leads.addresses import domain_and_parents, domain_of, normalise, normalise_domain
from campaigns.links import canonical, links
from campaigns.models import Lead
from circuitbreakers.characters import IN_A_MAIL

MAX_SUBJECT = 150
MIN_BODY, MAX_BODY = 40, 5000

BRACES = re.compile(r"\{[^{}\n]{0,80}\}|\{\{|\}\}|%[A-Za-z_]{2,40}%|\$[A-Z_]{3,40}\b")
# [Name], [your company]; not [1], which marks a source.
BRACKETS = re.compile(r"\[[^\W\d_][^\[\]\n]{1,60}\]")
TAG = re.compile(r"<!--|</?[A-Za-z][\w-]{0,30}(?:\s[^<>]{0,200})?/?>")


def check_mail(subject: str, body: str, lead: Lead, template: str) -> list[str]:
    """Say what speaks against sending this mail, as sentences; empty if nothing does.

    Given links are those of the template, literally, and the lead's own domain, profile and address.
    """
    problems: list[str] = []
    if not subject.strip():
        problems.append("The subject is empty.")
    if not body.strip():
        problems.append("The body is empty.")
    elif len(body.strip()) < MIN_BODY:
        problems.append(f"The body has {len(body.strip())} characters; at least {MIN_BODY} are expected.")
    if len(subject) > MAX_SUBJECT:
        problems.append(f"The subject has {len(subject):,} characters; at most {MAX_SUBJECT} are allowed.")
    if len(body) > MAX_BODY:
        problems.append(f"The body has {len(body):,} characters; at most {MAX_BODY:,} are allowed.")
    if "\n" in subject or "\r" in subject:
        problems.append("The subject has more than one line.")
    text = f"{subject[:MAX_BODY]}\n{body[:MAX_BODY]}"
    if IN_A_MAIL.search(text):
        problems.append("The mail contains control characters.")
    if gaps := unfilled(text, lead):
        problems.append(f"A placeholder was not filled: {', '.join(gaps[:5])}.")
    if tags := list(dict.fromkeys(TAG.findall(text))):
        problems.append(f"The mail contains markup: {', '.join(tags[:5])}.")
    if strange := links(text) - given(lead, template):
        problems.append(f"The mail contains a link that was not given: {', '.join(sorted(strange)[:5])}.")
    return problems


def unfilled(text: str, lead: Lead) -> list[str]:
    """Find gaps: {first_name}, {{company}}, %NAME%, [Your name]; brackets that belong to the lead's company or title
    are none."""
    own = f"{lead.company}\n{lead.title}"
    gaps = [*BRACES.findall(text), *(gap for gap in BRACKETS.findall(text) if gap not in own)]
    return list(dict.fromkeys(gaps))


def given(lead: Lead, template: str) -> set[str]:
    """Return the links that may appear. Not those in a name, title or company: anybody may write them there.

    A company that is called by its domain (Booking.com) may be named, if that is its domain.
    """
    allowed = links(template)
    data = lead.data or {}
    for value in (lead.company_domain, str(data.get("website") or "")):
        if domain := normalise_domain(value):
            allowed.add(domain)
    if profile := str(data.get("linkedin_url") or ""):
        allowed.add(canonical(profile))
    if address := normalise(lead.email or ""):
        allowed.add(address)
        allowed.update(domain_and_parents(domain_of(address)))
    return allowed
