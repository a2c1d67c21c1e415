"""A person has names here: a normalised address, and `apollo:` with Apollo's id. Pure."""

from collections.abc import Iterable
from functools import lru_cache

from campaigns.leads.addresses import addresses_in, domain_and_parents, domain_of
from campaigns.leads.suppression import SUFFIXES

# Everybody may have an address there, so that two of them say nothing of one company. The large public providers only:
# no maintained library has such a list, and longer ones (github.com/willwhite/freemail) hold companies' domains, too.
FREE_MAIL = frozenset(
    {
        *(
            "gmail.com",
            "googlemail.com",
            "outlook.com",
            "hotmail.com",
            "live.com",
            "msn.com",
            "outlook.de",
            "hotmail.de",
        ),
        *("hotmail.co.uk", "hotmail.fr", "hotmail.it", "hotmail.es", "live.co.uk", "live.fr", "live.nl", "live.de"),
        *("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es"),
        *("yahoo.co.in", "yahoo.co.jp", "yahoo.com.br", "yahoo.ca", "aol.com", "aol.de", "aim.com", "verizon.net"),
        *("icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "pm.me", "tutanota.com", "tuta.io"),
        *("gmx.de", "gmx.net", "gmx.com", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de", "mailbox.org"),
        *("posteo.de", "mail.com", "email.com", "fastmail.com", "hey.com", "zoho.com", "zohomail.com", "yandex.com"),
        *("yandex.ru", "ya.ru", "mail.ru", "bk.ru", "inbox.ru", "list.ru", "rambler.ru", "qq.com", "163.com"),
        *("126.com", "yeah.net", "sina.com", "foxmail.com", "naver.com", "hanmail.net", "daum.net", "rediffmail.com"),
        *("orange.fr", "wanadoo.fr", "free.fr", "laposte.net", "sfr.fr", "libero.it", "virgilio.it", "tiscali.it"),
        *("comcast.net", "att.net", "sbcglobal.net", "bellsouth.net", "cox.net", "btinternet.com", "sky.com"),
        *("bluewin.ch", "ziggo.nl", "kpnmail.nl", "planet.nl", "telenet.be", "skynet.be", "wp.pl", "o2.pl", "onet.pl"),
        *(
            "seznam.cz",
            "centrum.cz",
            "uol.com.br",
            "bol.com.br",
            "terra.com.br",
            "shaw.ca",
            "rogers.com",
            "bigpond.com",
        ),
    }
)


def keys_of(email: str | None, apollo_id: str) -> list[str]:
    """Return the names under which this person is a contact, the address first."""
    return [*([email] if email else []), *([apollo_key(apollo_id)] if apollo_id else [])]


def apollo_key(apollo_id: str) -> str:
    """Return the name of a person whom only Apollo's id tells."""
    return f"apollo:{apollo_id}"


def domain_of_key(key: str) -> str:
    """Return the registrable domain of an address; '' for an Apollo id."""
    return registrable(domain_of(key)) if "@" in key else ""


def counted_domain(key: str) -> str:
    """Return the domain whose people are counted; '' where that would say nothing: for free mail, an Apollo id."""
    domain = domain_of_key(key)
    return "" if domain in FREE_MAIL else domain


@lru_cache(maxsize=50_000)
def registrable(domain: str) -> str:
    """Return what somebody has registered: `acme.co.uk` of `mail.acme.co.uk`; the last two labels of an unknown end."""
    return SUFFIXES(domain).top_domain_under_public_suffix or ".".join(domain.split(".")[-2:])


def listing_keys(email: str) -> list[str]:
    """Return what would suppress this address if it were on the list: itself, its domain and that one's parents."""
    addresses: Iterable[str] = addresses_in(email) or [email.strip().lower().encode("ascii", "ignore").decode()]
    return [value for address in addresses for value in (address, *domain_and_parents(domain_of(address)))]
