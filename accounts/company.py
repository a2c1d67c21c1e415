"""The company's provider of logins is described here, as the settings read it; nothing here asks it."""

from dataclasses import dataclass, field

# The names of the three roles (docs/contract.md#roles); config/roles.py says what each may do.
VIEWER, OPERATOR, ADMIN = "Viewer", "Operator", "Admin"
ROLES = (VIEWER, OPERATOR, ADMIN)


@dataclass(frozen=True)
class Company:
    """A Company is an OpenID provider. `roles`: the provider's group -> our role; `claim` is where it names groups."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    claim: str
    roles: dict[str, str]


def parse_roles(text: str) -> tuple[str, dict[str, str]]:
    """Read `CLAIM: GROUP=ROLE, GROUP=ROLE`. Raises ValueError, with what is wrong."""
    claim, colon, rest = text.partition(":")
    roles: dict[str, str] = {}
    for part in filter(None, map(str.strip, rest.split(","))):
        group, _, role = part.rpartition("=")
        named = next((one for one in ROLES if one.lower() == role.strip().lower()), "")
        if not (group.strip() and named):
            raise ValueError(f"{part!r} is not GROUP=ROLE with a role of {', '.join(ROLES)}")
        roles[group.strip()] = named
    if not (claim.strip() and colon and roles):
        raise ValueError("a claim, a colon, and at least one GROUP=ROLE")
    return claim.strip(), roles
