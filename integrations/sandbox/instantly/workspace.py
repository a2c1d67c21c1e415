"""The Instantly workspace holds its campaigns and the leads in them. Safe to use from many threads."""

import re
import threading
import time
import uuid
from collections import Counter

from integrations.sandbox.exchange import digest

PLAN_LEADS = 100_000
STANDING_CAMPAIGNS = ("Autumn outreach", "Founders", "Win back")
LEAD_FIELDS = (
    *("email", "first_name", "last_name", "company_name", "job_title", "phone", "website", "personalization"),
    *("lt_interest_status", "pl_value_lead", "assigned_to"),
)
# Fields of a lead as they reappear among its variables, where a mail template finds them.
VARIABLES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company_name": "companyName",
    "job_title": "jobTitle",
    "website": "website",
    "phone": "phone",
    "personalization": "personalization",
}
DEFAULT_SCHEDULE: dict[str, object] = {
    "schedules": [
        {
            "name": "Weekdays",
            "timing": {"from": "09:00", "to": "17:00"},
            "days": {str(day): 1 <= day <= 5 for day in range(7)},
            "timezone": "America/Chicago",
        }
    ]
}

Item = dict[str, object]


def stamp(at: float | None = None) -> str:
    """Write an instant (epoch seconds; None is now) as the vendor does."""
    now = time.time() if at is None else at
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


def campaign_id(seed: str) -> str:
    """Make a UUID whose last twelve digits follow from the others, so that a sandbox recognises ids that it issued
    before it was restarted."""
    head = f"{digest('campaign', seed):032x}"[:20]
    head = f"{head[:12]}4{head[13:16]}8{head[17:]}"
    return str(uuid.UUID(head + _check(head)))


def issued(identifier: str) -> bool:
    """Say whether some sandbox made this campaign id."""
    digits = identifier.replace("-", "").lower()
    return bool(re.fullmatch(r"[0-9a-f]{32}", digits)) and _check(digits[:20]) == digits[20:]


def _check(head: str) -> str:
    return f"{digest('campaign-check', head):032x}"[:12]


ORGANIZATION = str(uuid.UUID(int=digest("organization"), version=4))


class Workspace:
    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._campaigns: dict[str, Item] = {}
        # What the status of a campaign was before somebody ordered another.
        self._ordered: dict[str, int] = {}
        for name in STANDING_CAMPAIGNS:
            self._campaigns[campaign_id(name)] = self._new_campaign(campaign_id(name), {"name": name})
        self.forget()

    def forget(self) -> None:
        """Drop the leads, and refill the plan. Campaigns stay: somebody holds their ids; those that were ordered not to
        send are as before."""
        with self._lock:
            for identifier, status in self._ordered.items():
                self._campaigns[identifier]["status"] = status
            self._ordered.clear()
            self.plan = PLAN_LEADS
            self._leads: dict[str, Item] = {}
            # Where each address is: the first lead of that address in each campaign or list.
            self._places: dict[tuple[str, str], str] = {}
            self.pushes: Counter[tuple[str, str]] = Counter()

    # --- campaigns ----------------------------------------------------------------------------------------------------

    def campaign(self, identifier: str) -> Item | None:
        """Return the campaign, or None. An id issued before a restart comes back under a name that says so."""
        with self._lock:
            if identifier not in self._campaigns and issued(identifier):
                self._campaigns[identifier] = self._new_campaign(
                    identifier, {"name": "Made before the sandbox restarted"}
                )
            return self._campaigns.get(identifier)

    def campaigns(self) -> list[Item]:
        with self._lock:
            return list(self._campaigns.values())

    def create_campaign(self, fields: Item) -> Item:
        """Make a draft: creating never sends."""
        with self._lock:
            identifier = campaign_id(uuid.uuid4().hex)
            campaign = self._campaigns[identifier] = self._new_campaign(identifier, fields, status=0)
            return campaign

    def set_status(self, identifier: str, status: int) -> Item | None:
        with self._lock:
            if campaign := self.campaign(identifier):
                campaign |= {"status": status, "timestamp_updated": stamp()}
            return campaign

    def order_status(self, identifier: str, status: int) -> Item | None:
        """Set a status as the vendor's own doing, until the sandbox forgets."""
        with self._lock:
            if campaign := self.campaign(identifier):
                self._ordered.setdefault(identifier, int(str(campaign["status"])))
            return self.set_status(identifier, status)

    def _new_campaign(self, identifier: str, fields: Item, status: int = 1) -> Item:
        now = stamp()
        return {
            "campaign_schedule": DEFAULT_SCHEDULE,
            "sequences": [],
            "email_list": [],
            **fields,
            "id": identifier,
            "status": status,
            "timestamp_created": now,
            "timestamp_updated": now,
            "organization": ORGANIZATION,
        }

    # --- leads --------------------------------------------------------------------------------------------------------

    def add(self, container: str, fields: Item, *, is_list: bool = False) -> Item:
        """Adds a lead, whoever is there already: telling duplicates apart is the caller's part."""
        now = stamp()
        email = str(fields.get("email") or "")
        custom = fields.get("custom_variables")
        payload = {VARIABLES[name]: fields[name] for name in VARIABLES if fields.get(name) is not None}
        lead: Item = {
            "id": str(uuid.uuid4()),
            "timestamp_created": now,
            "timestamp_updated": now,
            "organization": ORGANIZATION,
            "status": 1,
            **{name: fields[name] for name in LEAD_FIELDS if name in fields},
            "email_open_count": 0,
            "email_reply_count": 0,
            "email_click_count": 0,
            "company_domain": email.rpartition("@")[2],
            "status_summary": {},
            "payload": {"email": email, **payload, **(custom if isinstance(custom, dict) else {})},
            "upload_method": "api",
            ("list_id" if is_list else "campaign"): container,
        }
        with self._lock:
            self._leads[str(lead["id"])] = lead
            self._places.setdefault((container, email.lower()), str(lead["id"]))
            if not is_list:
                self.pushes[container, email.lower()] += 1
        return lead

    def lead(self, identifier: str) -> Item | None:
        with self._lock:
            return self._leads.get(identifier)

    def member(self, container: str, email: str) -> Item | None:
        """Return the lead with this address in this campaign or list, or None."""
        with self._lock:
            identifier = self._places.get((container, email.lower()))
            return self._leads[identifier] if identifier else None

    def leads(self) -> list[Item]:
        """List the leads, oldest first, which is the order of the pages."""
        with self._lock:
            return list(self._leads.values())

    def leads_of(self, container: str, email: str = "") -> list[Item]:
        """List the leads of a campaign ("" for all campaigns), those with this address if one is given, oldest
        first."""
        with self._lock:
            return [
                lead
                for lead in self._leads.values()
                if lead.get("campaign")
                and container in ("", lead["campaign"])
                and email.lower() in ("", str(lead.get("email") or "").lower())
            ]

    def replace(self, lead: Item) -> None:
        """Put a changed lead in the place of the one with its id, if that is still there. A listing under way keeps the
        old one."""
        with self._lock:
            if lead["id"] in self._leads:
                self._leads[str(lead["id"])] = lead

    def remove(self, leads: list[Item]) -> None:
        with self._lock:
            for lead in leads:
                self._leads.pop(str(lead["id"]), None)
            self._places = {
                place: identifier for place, identifier in self._places.items() if identifier in self._leads
            }

    def anywhere(self, email: str, kind: str) -> bool:
        """Say whether the address is in any campaign or list (`kind` "campaign" or "list_id"), or in either (`kind`
        "")."""
        kinds = (kind,) if kind else ("campaign", "list_id")
        with self._lock:
            return any(
                address == email.lower() and any(name in self._leads[identifier] for name in kinds)
                for (_, address), identifier in self._places.items()
            )

    @property
    def remaining(self) -> int:
        with self._lock:
            return max(0, self.plan - len(self._leads))

    @property
    def used(self) -> int:
        """Count the leads that are held against the plan."""
        with self._lock:
            return len(self._leads)

    def locked(self) -> threading.RLock:
        """Hold the lock while a batch is looked up and added, so that two requests for one address add it once."""
        return self._lock
