# Made by `cargo xtask` from the core's operations; change those.
"""The CRM's types and namespaces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from ._native import operation as _operation
from ._namespaces import (
    AsyncCallsBase,
    AsyncContactsBase,
    AsyncNamespace,
    CallsBase,
    ContactsBase,
    Namespace,
    all_pages,
    all_pages_async,
)
from ._records import Page, Record
from ._unset import UNSET, Unset

ActivityKind = Literal[
    "note",
    "email",
    "sms",
    "meeting",
    "call",
    "task",
    "contact_created",
    "contact_updated",
    "contact_deleted",
    "contact_restored",
]
"""The kinds of activity."""

Audience = Literal["everybody", "owner", "admin", "agent", "viewer"]
"""Who is told something by an administrator."""

ContactOrder = Literal[
    "created_at",
    "updated_at",
    "last_name",
    "-created_at",
    "-updated_at",
    "-last_name",
]
"""An order of contacts."""

EntityKind = Literal[
    "tenant",
    "user",
    "company",
    "contact",
    "activity",
    "session",
    "api_key",
    "call",
    "telephony_account",
    "consent",
    "job",
    "schedule",
]
"""The kinds of record that entries can be about."""

JobState = Literal["scheduled", "ready", "running", "dead"]
"""Where a job is on its way. One that is done is gone."""

NotificationKind = Literal[
    "assigned",
    "call_ended",
    "call_missed",
    "mention",
    "import_done",
    "broadcast",
]
"""What a notification is for."""

OfDeleted = Literal["only", "include"]
"""Which deleted contacts a list has."""

Placement = Literal["waiting", "unknown", "placed", "none"]
"""Whether the carrier has the call."""

Purpose = Literal["calls", "recording"]
"""What is consented to."""

Role = Literal["owner", "admin", "agent", "viewer"]
"""What a user is in a tenant. Each role may do all that the next one may."""

SearchSort = Literal["relevance", "updated_at"]
"""What a search is sorted by."""

SignInMethod = Literal["password", "oidc"]
"""How somebody signed in."""

StatsGroupBy = Literal["kind", "user", "day"]
"""What statistics count by."""

TokenType = Literal["Bearer"]
"""How a token is sent (RFC 6750)."""

UserStatus = Literal["active", "disabled", "invited"]
"""Whether a user may work."""



class Contact(Record):
    """A person (or a mailbox, or a switchboard) that the tenant deals with. Only the core makes
    one, so one that exists is valid: it has a name, an e-mail or a phone, and every value keeps
    its rule. Changing a copy in memory changes nothing in the store."""

    id: UUID
    """Identifies the contact within its tenant."""
    first_name: str | None
    """Given name."""
    last_name: str | None
    """Family name."""
    display_name: str
    """The name to show: as given, else first and last name, else company, e-mail or phone."""
    company: str | None
    """The employer's name."""
    company_id: UUID | None
    """The employer's own record."""
    title: str | None
    """Job title."""
    emails: tuple[ContactEmail, ...]
    """E-mail addresses, the primary one first."""
    phones: tuple[ContactPhone, ...]
    """Phone numbers, the primary one first."""
    addresses: tuple[PostalAddress, ...]
    """Postal addresses, the primary one first."""
    tags: tuple[str, ...]
    """Tags in alphabetical order, each once."""
    custom: dict[str, bool | float | str]
    """Fields of the tenant's own."""
    owner_id: UUID | None
    """The user who looks after the contact."""
    source: str | None
    """Where the contact came from, e.g. `import`."""
    created_at: datetime
    """When the contact was made."""
    updated_at: datetime
    """When the contact was last changed."""
    deleted_at: datetime | None
    """When the contact was deleted, if it is."""
    version: int
    """Counts the changes, from 1."""


class ContactEmail(Record):
    """An e-mail address of a contact."""

    address: str
    """The address, as typed."""
    label: str | None
    """What it is for, e.g. `work`."""


class ContactPhone(Record):
    """A phone number of a contact."""

    number: str | None
    """The number in E.164; None flags text that is no number, which is kept in `raw`."""
    raw: str
    """What was typed."""
    label: str | None
    """What it is for, e.g. `mobile`."""


class PostalAddress(Record):
    """A postal address."""

    street: str | None
    """Street and house number; further lines after a line break."""
    city: str | None
    """Town."""
    region: str | None
    """State, province or county."""
    postal_code: str | None
    """Postal code."""
    country: str | None
    """Country, as written."""
    label: str | None
    """What it is for, e.g. `home`."""


class Upserted(Record):
    """What create or update did."""

    created: bool
    """Whether the contact is new."""
    contact: Contact
    """The contact as it is now."""


class ContactPage(Page["Contact"]):
    """A page of contacts."""

    items: tuple[Contact, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""
    total: int | None
    """How many contacts there are on all pages, where that was asked."""


class SearchHitPage(Page["SearchHit"]):
    """One page of a list."""

    items: tuple[SearchHit, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class SearchHit(Record):
    """A contact that a search found."""

    contact: Contact
    """The contact."""
    score: float
    """How well it fits, 0..=1; 1 is the whole name as typed."""


class ActivityPage(Page["Activity"]):
    """One page of a list."""

    items: tuple[Activity, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class Activity(Record):
    """One entry of a timeline. `data` has the shape of its `kind`."""

    id: UUID
    contact_id: UUID
    kind: ActivityKind
    occurred_at: datetime
    user_id: UUID | None
    subject: str | None
    body: str | None
    data: dict[str, Any]
    created_at: datetime


class Consent(Record):
    """What a contact said, once. Nothing is changed afterwards: the latest of a purpose holds."""

    id: UUID
    """Identifies the consent within its tenant."""
    contact_id: UUID
    """Who said it."""
    purpose: Purpose
    """To what."""
    granted: bool
    """Whether they agreed."""
    source: str | None
    """How it is known, e.g. `asked on the phone`."""
    user_id: UUID | None
    """Who wrote it down."""
    at: datetime
    """When."""


class Company(Record):
    """An organisation that contacts work for."""

    id: UUID
    """Identifies the company within its tenant."""
    name: str
    """Its name, unique in the tenant whatever the case, accents and punctuation."""
    domain: str | None
    """The domain of its e-mail addresses, unique in the tenant, e.g. `acme.example`."""
    created_at: datetime
    """When it was made."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """Counts the changes, from 1."""


class CompanyPage(Page["Company"]):
    """One page of a list."""

    items: tuple[Company, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class Stats(Record):
    """How many activities there were."""

    groups: tuple[StatsGroup, ...]
    """The groups in the order of their keys."""
    total: int
    """All groups together."""


class StatsGroup(Record):
    """One group of the statistics."""

    key: str
    """What the group's activities have in common."""
    count: int
    """How many there are."""


class Call(Record):
    """A call as front doors show it."""

    id: UUID
    """Identifies the call within its tenant."""
    contact_id: UUID | None
    """Who is called or calls, where it is known."""
    user_id: UUID | None
    """The user who called, or logged the call."""
    direction: Literal["inbound", "outbound"]
    """Who called whom."""
    from_: str | None
    """The calling number; None where it is withheld."""
    to: str | None
    """The called number."""
    status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
]
    """How far it is for the carrier."""
    placement: Placement
    """Whether the carrier has it."""
    disposition: str | None
    """What came of it for the business."""
    provider: str | None
    """Who carries it; None for a call that was logged by hand."""
    provider_call_id: str | None
    """The provider's name of the call."""
    started_at: datetime
    """When it was asked for, came in or took place."""
    answered_at: datetime | None
    """When it was answered."""
    ended_at: datetime | None
    """When it was over."""
    duration_seconds: int | None
    """How long was talked."""
    answered_by: Literal["unknown", "fax", "machine", "human"] | None
    """Who or what answered."""
    price: Price | None
    """What it costs, where the carrier says so."""
    failure: CallFailure | None
    """Why it failed."""
    recording_consent: ConsentSnapshot | None
    """Whether the contact had agreed to be recorded when the call was made."""
    has_recording: bool
    """Whether there is a recording that can be heard."""
    recording_expires_at: datetime | None
    """When the recording is deleted."""
    note: str | None
    """What is to be known of the call."""
    activity_id: UUID
    """Its entry on the contact's timeline."""
    created_at: datetime
    """When it was written down."""
    updated_at: datetime
    """When it changed last."""
    version: int
    """Counts the changes, from 1."""


class Price(Record):
    """What a call costs, as the carrier says: an amount in its own notation, e.g. `-0.0140`, and
    a currency (ISO 4217)."""

    amount: str
    """The amount."""
    currency: str
    """The currency."""


class CallFailure(Record):
    """Why a call failed."""

    code: str
    """A stable word of ours, or the carrier's number."""
    message: str
    """For people."""


class ConsentSnapshot(Record):
    """Whether the contact had agreed to be recorded when the call was made."""

    granted: bool | None
    """The answer; None where the contact was never asked."""
    consent_id: UUID | None
    """The record of the answer."""
    at: datetime
    """When it was looked up."""


class CallPage(Page["Call"]):
    """One page of a list."""

    items: tuple[Call, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class TelephonyAccount(Record):
    """An account as front doors show it: without its secrets."""

    id: UUID
    """Identifies the account within its tenant."""
    provider: str
    """Which carrier."""
    name: str
    """The carrier's name of the account."""
    numbers: tuple[str, ...]
    """Its numbers."""
    connect_to: str | None
    """Who is connected with the other side, in and out."""
    greeting: str | None
    """What is said where nobody is connected."""
    options: dict[str, str]
    """The carrier's own settings."""
    active: bool
    """Whether it is used."""
    created_at: datetime
    """When it was made."""
    updated_at: datetime
    """When it changed last."""
    version: int
    """Counts the changes, from 1."""


class NotificationPage(Page["Notification"]):
    """One page of a list."""

    items: tuple[Notification, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class Notification(Record):
    """Something that one person is told."""

    id: UUID
    """Identifies it."""
    user_id: UUID
    """Who is told."""
    kind: NotificationKind
    """What it is for."""
    title: str
    """One line, 1 to 200 characters."""
    body: str | None
    """More, up to 4,000 characters."""
    data: dict[str, Any]
    """What it is about: ids by name, e.g. `contact_id`; `summary` is true where it stands for
    several."""
    count: int
    """How many it stands for; 1 but for summaries."""
    created_at: datetime
    """When it was made."""
    delivered_at: datetime | None
    """When a program of the person's has had it."""
    read_at: datetime | None
    """When the person has read it."""
    version: int
    """Grows by one with each change."""


class Marked(Record):
    """How many notifications were marked."""

    read: int
    """Those that were not read before."""


class NotificationPreferences(Record):
    """What one person wants to hear of, and when."""

    user_id: UUID
    """The person."""
    channels: dict[str, dict[str, bool]]
    """By kind and channel, whether it is wanted; what is not named is. `in_app` is the list of
    notifications and the live connection, other channels are the host's."""
    quiet_hours: QuietHours | None
    """When channels outside of the program keep silent."""
    version: int
    """Grows by one with each change; 0 where nothing was ever chosen."""


class QuietHours(Record):
    """Hours of each day in which channels outside of the program wait."""

    from_: str
    """Their beginning, `HH:MM`."""
    to: str
    """Their end, `HH:MM`; before the beginning where it is on the next day."""
    zone: str
    """Where the person is: the name of a time zone, e.g. `Europe/Berlin`."""


class Told(Record):
    """How many people were told."""

    recipients: int
    """Those who want to be told such things, by any way."""


class Present(Record):
    """Somebody who is connected."""

    user_id: UUID
    """Who."""
    connections: int
    """Over how many connections."""


class CreatedUser(Record):
    """A user with the invitation that lets them in, which is not shown again."""

    id: UUID
    """Identifies the user within its tenant."""
    email: str
    """The address they sign in with, unique in the tenant."""
    full_name: str
    """Their name."""
    role: Role
    """What they may do."""
    status: UserStatus
    """Whether they may do anything at all."""
    session_epoch: int
    """Counts how often all sessions of the user were ended at once, as by a new password."""
    created_at: datetime
    """When the user was made."""
    updated_at: datetime
    """When the user was last changed."""
    version: int
    """Counts the changes, from 1."""
    invitation: str
    """What the user needs to set a password, within seven days."""


class User(Record):
    """A person who works in one tenant."""

    id: UUID
    """Identifies the user within its tenant."""
    email: str
    """The address they sign in with, unique in the tenant."""
    full_name: str
    """Their name."""
    role: Role
    """What they may do."""
    status: UserStatus
    """Whether they may do anything at all."""
    session_epoch: int
    """Counts how often all sessions of the user were ended at once, as by a new password."""
    created_at: datetime
    """When the user was made."""
    updated_at: datetime
    """When the user was last changed."""
    version: int
    """Counts the changes, from 1."""


class UserPage(Page["User"]):
    """One page of a list."""

    items: tuple[User, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class Me(Record):
    """Who is signed in, and what they may do."""

    user: User | None
    """The user; None for an API key."""
    tenant: Tenant
    """The tenant."""
    role: Role
    """What the caller is in it."""
    permissions: tuple[str, ...]
    """The actions that the caller may do."""
    session: SignInInfo | None
    """The session; None for an API key."""
    second_factor: bool
    """Whether a sign-in by password asks for a code of a second factor."""
    recovery_codes_left: int
    """How many recovery codes are left."""


class Tenant(Record):
    """An organisation that uses the CRM. Nothing of one tenant is ever seen by another."""

    id: UUID
    """Identifies the tenant."""
    name: str
    """Its name for people."""
    slug: str
    """Its name in commands and addresses, unique in the installation."""
    default_region: str
    """The region of phone numbers without a country code."""
    join_domains: tuple[str, ...]
    """The domains of e-mail addresses whose holders may join by an account with a provider of
    identities."""
    join_role: Role
    """What those who join so are."""
    dispositions: tuple[str, ...]
    """What can come of a call, in the order in which people choose from it."""
    recording_days: int | None
    """How many days recordings are kept; None for ever."""
    created_at: datetime
    """When it was made."""
    version: int
    """Counts the changes, from 1."""


class SignInInfo(Record):
    """A sign-in as its owner sees it."""

    id: UUID
    """Identifies it."""
    method: SignInMethod
    """How it began."""
    created_at: datetime
    """When."""
    refreshed_at: datetime
    """When it was last refreshed."""
    expires_at: datetime
    """When it ends unless it is refreshed before."""
    user_agent: str | None
    """The program, as it names itself."""
    address: str | None
    """Where it came from."""
    current: bool
    """Whether it is the caller's."""


class NewTotp(Record):
    """A generator of one-time codes that is to be set up."""

    secret: str
    """The shared secret in base32, to be typed."""
    uri: str
    """The same as an `otpauth:` URI, to be shown as a QR code."""


class RecoveryCodes(Record):
    """The codes that stand in for a lost generator, each once. They are not shown again."""

    recovery_codes: tuple[str, ...]
    """Ten codes of 128 random bits."""


class CreatedApiKey(Record):
    """A new API key with its secret, which is not shown again."""

    id: UUID
    """Identifies the key."""
    name: str
    """What people call it."""
    role: Role
    """What it may do at most."""
    scopes: tuple[str, ...]
    """The actions that it may do, of those that its role allows."""
    created_by: UUID | None
    """Who made it."""
    created_at: datetime
    """When."""
    expires_at: datetime | None
    """Until when it can be used."""
    last_used_at: datetime | None
    """When it was last used, to ten minutes."""
    revoked_at: datetime | None
    """When it was revoked."""
    version: int
    """Counts the changes, from 1."""
    secret: str
    """What the program sends as `Authorization: Bearer`."""


class ApiKeyInfoPage(Page["ApiKeyInfo"]):
    """One page of a list."""

    items: tuple[ApiKeyInfo, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class ApiKeyInfo(Record):
    """An API key as people see it: all but the secret."""

    id: UUID
    """Identifies the key."""
    name: str
    """What people call it."""
    role: Role
    """What it may do at most."""
    scopes: tuple[str, ...]
    """The actions that it may do, of those that its role allows."""
    created_by: UUID | None
    """Who made it."""
    created_at: datetime
    """When."""
    expires_at: datetime | None
    """Until when it can be used."""
    last_used_at: datetime | None
    """When it was last used, to ten minutes."""
    revoked_at: datetime | None
    """When it was revoked."""
    version: int
    """Counts the changes, from 1."""


class JobPage(Page["Job"]):
    """One page of a list."""

    items: tuple[Job, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class Job(Record):
    """Work that is to be done after a commit, and was written in it."""

    id: UUID
    """Identifies the job within its tenant."""
    kind: str
    """What it is for."""
    payload: Any
    """What it is about, in the shape of its kind."""
    state: JobState
    """Where it is on its way."""
    priority: int
    """Among the jobs of one kind and tenant, those with a lesser number go first."""
    run_at: datetime
    """Not before."""
    attempts: int
    """How often it was tried."""
    max_attempts: int
    """After how many tries it is given up."""
    unique_key: str | None
    """While a job of this kind with this key waits, another one is not enqueued."""
    failure: str | None
    """What it failed with last."""
    request_id: str
    """The request that it goes back to."""
    created_at: datetime
    """When it was enqueued."""


class AuditEntryPage(Page["AuditEntry"]):
    """One page of a list."""

    items: tuple[AuditEntry, ...]
    """The items, in the order of the list."""
    next_cursor: str | None
    """Leads to the next page; None on the last."""


class AuditEntry(Record):
    """One action on one record. It names the fields that changed, never their values: personal
    data must not outlive its erasure here."""

    id: UUID
    """Identifies the entry; ids grow with time."""
    at: datetime
    """When."""
    actor: str
    """Who."""
    action: str
    """What, e.g. `contact.updated`."""
    resource: EntityRef
    """The record."""
    request_id: str
    """The request that it belongs to."""
    fields: tuple[str, ...]
    """The fields that changed."""


class EntityRef(Record):
    """One record, by kind and id. In text `contact:<id>`."""

    kind: EntityKind
    """The kind of record."""
    id: UUID
    """Its id."""


class CreatedTenant(Record):
    """A tenant that was made, and its owner."""

    tenant: Tenant
    """The tenant."""
    owner: User
    """Its owner."""


class Registered(Record):
    """A new tenant whose owner has come in."""

    tenant: Tenant
    """The tenant."""
    user: User
    """Its owner."""
    access_token: str
    """Opens everything that the user may do, for a few minutes."""
    refresh_token: str
    """Gives the next pair of tokens, once."""
    token_type: TokenType
    """How `access_token` is sent: `Bearer`."""
    expires_in: int
    """Seconds until `access_token` ends."""


class SignedIn(Record):
    """A user who has come in."""

    access_token: str
    """Opens everything that the user may do, for a few minutes."""
    refresh_token: str
    """Gives the next pair of tokens, once."""
    token_type: TokenType
    """How `access_token` is sent: `Bearer`."""
    expires_in: int
    """Seconds until `access_token` ends."""
    user: User
    """Who came in."""


class Tokens(Record):
    """What somebody who is signed in works with."""

    access_token: str
    """Opens everything that the user may do, for a few minutes."""
    refresh_token: str
    """Gives the next pair of tokens, once."""
    token_type: TokenType
    """How `access_token` is sent: `Bearer`."""
    expires_in: int
    """Seconds until `access_token` ends."""


class FollowedEvent(Record):
    """Something that happened, and its place in the log."""

    position: str
    """The place, 16 hexadecimal digits: to follow on after it."""
    id: UUID
    """Identifies the event; a reader that sees an id twice has seen the same event."""
    name: str
    """What happened, e.g. `contact.updated.v1`."""
    occurred_at: datetime
    """When."""
    actor: str
    """Who did it."""
    request_id: str
    """The request that caused it."""
    subject: EntityRef
    """The record that it happened to."""
    data: Any
    """What the name's schema says."""


class ImportReport(Record):
    """What became of the rows: `created + updated + skipped + failed` is their number."""

    created: int
    """Rows that made a contact."""
    updated: int
    """Rows that changed a contact."""
    skipped: int
    """Rows that are a known contact, which was left as it is, or which they changed in nothing."""
    failed: int
    """Rows that were refused."""
    errors: tuple[RowError, ...]
    """Why, one entry for each refused value, at most max errors."""
    errors_omitted: int
    """Entries that found no room in `errors`."""
    warnings: tuple[RowError, ...]
    """What rows held that their contacts do not, e.g. pictures, and rows that were skipped for a
    shared phone alone; at most max errors."""


class RowError(Record):
    """A refused value of a row."""

    row: int
    """The row as a spreadsheet numbers it, with the header in row 1; the card's number; the
    line."""
    field: str
    """The path of the value as the caller wrote it, e.g. `emails[1].address`."""
    code: str
    """A stable word for programs, e.g. `invalid_email`."""
    message: str
    """A sentence for people."""


class NewContact(TypedDict, total=False):
    """What a caller says of a contact to be made; nothing is trusted yet. ``` use
    crm_core::contacts::NewContact; let ada = NewContact::named("Ada",
    "Lovelace").email("ada@example.com").phone("+44 20 7946 0958");
    assert_eq!(ada.emails[0].address, "ada@example.com"); ```"""

    first_name: str | None
    """Given name, at most 255 characters."""
    last_name: str | None
    """Family name, at most 255 characters."""
    display_name: str | None
    """The name to show, where it is not first and last name."""
    company: str | None
    """The employer's name."""
    company_id: UUID | str | None
    """The employer's own record."""
    title: str | None
    """Job title."""
    emails: Sequence[NewEmail] | None
    """E-mail addresses, the primary one first; at most 50."""
    phones: Sequence[NewPhone] | None
    """Phone numbers, the primary one first; at most 50."""
    addresses: Sequence[PostalAddressInput | PostalAddress] | None
    """Postal addresses, the primary one first; at most 50."""
    tags: Sequence[str] | None
    """Tags; at most 100."""
    custom: Mapping[str, bool | float | str] | None
    """Fields of the tenant's own; at most 250."""
    owner_id: UUID | str | None
    """The user who looks after the contact."""
    source: str | None
    """Where the contact came from."""


class _NewEmailRequired(TypedDict):
    address: str
    """The address."""


class NewEmail(_NewEmailRequired, total=False):
    """An e-mail address as typed."""

    label: str | None
    """What it is for, e.g. `work`."""


class NewPhone(TypedDict, total=False):
    """A phone number as typed."""

    number: str | None
    """The number in any notation; the same as `raw`, and enough by itself."""
    raw: str | None
    """What was typed, kept as it is."""
    label: str | None
    """What it is for, e.g. `mobile`."""


class PostalAddressInput(TypedDict, total=False):
    """A postal address."""

    street: str | None
    """Street and house number; further lines after a line break."""
    city: str | None
    """Town."""
    region: str | None
    """State, province or county."""
    postal_code: str | None
    """Postal code."""
    country: str | None
    """Country, as written."""
    label: str | None
    """What it is for, e.g. `home`."""


class _NewActivityRequired(TypedDict):
    contact_id: UUID | str
    """The contact on whose timeline it will stand."""
    kind: ActivityKind
    """One of the kinds that people write."""


class NewActivity(_NewActivityRequired, total=False):
    """An activity to be logged by a person. What is logged stays as it is: a mistake is
    corrected by another entry."""

    occurred_at: datetime | str | None
    """When it happened; now, where it is absent."""
    subject: str | None
    """One line, at most 500 characters."""
    body: str | None
    """The text, at most 65536 bytes."""
    data: Any
    """The kind's own fields, at most max data bytes; none, where it is absent."""


class CarrierSecrets(TypedDict, total=False):
    """What proves that an account is ours."""

    auth_tokens: Sequence[str] | None
    """The account's tokens: the first is used, each is good for the carrier's signatures. Two
    while one takes the place of the other."""
    api_key: CarrierApiKey | None
    """An API key, which is used for requests instead of the first token."""


class CarrierApiKey(TypedDict):
    """An API key of a carrier."""

    id: str
    """Its name, e.g. `SK…`."""
    secret: str
    """Its secret."""


QuietHoursInput = TypedDict(
    "QuietHoursInput",
    {
        "from": "str",
        "to": "str",
        "zone": "str",
    },
)
"""Hours of each day in which channels outside of the program wait."""


CLASSES: dict[str, type[Record]] = {
    "Contact": Contact,
    "ContactEmail": ContactEmail,
    "ContactPhone": ContactPhone,
    "PostalAddress": PostalAddress,
    "Upserted": Upserted,
    "ContactPage": ContactPage,
    "PageOf_for_SearchHit": SearchHitPage,
    "SearchHit": SearchHit,
    "PageOf_for_Activity": ActivityPage,
    "Activity": Activity,
    "Consent": Consent,
    "Company": Company,
    "PageOf_for_Company": CompanyPage,
    "Stats": Stats,
    "StatsGroup": StatsGroup,
    "Call": Call,
    "Price": Price,
    "CallFailure": CallFailure,
    "ConsentSnapshot": ConsentSnapshot,
    "PageOf_for_Call": CallPage,
    "TelephonyAccount": TelephonyAccount,
    "PageOf_for_Notification": NotificationPage,
    "Notification": Notification,
    "Marked": Marked,
    "NotificationPreferences": NotificationPreferences,
    "QuietHours": QuietHours,
    "Told": Told,
    "Present": Present,
    "CreatedUser": CreatedUser,
    "User": User,
    "PageOf_for_User": UserPage,
    "Me": Me,
    "Tenant": Tenant,
    "SignInInfo": SignInInfo,
    "NewTotp": NewTotp,
    "RecoveryCodes": RecoveryCodes,
    "CreatedApiKey": CreatedApiKey,
    "PageOf_for_ApiKeyInfo": ApiKeyInfoPage,
    "ApiKeyInfo": ApiKeyInfo,
    "PageOf_for_Job": JobPage,
    "Job": Job,
    "PageOf_for_AuditEntry": AuditEntryPage,
    "AuditEntry": AuditEntry,
    "EntityRef": EntityRef,
    "CreatedTenant": CreatedTenant,
    "Registered": Registered,
    "SignedIn": SignedIn,
    "Tokens": Tokens,
    "FollowedEvent": FollowedEvent,
    "ImportReport": ImportReport,
    "RowError": RowError,
}

_CONTACTS_CREATE = _operation("contacts.create")
_CONTACTS_CREATE_OR_UPDATE = _operation("contacts.create_or_update")
_CONTACTS_CREATE_ALL = _operation("contacts.create_all")
_CONTACTS_GET = _operation("contacts.get")
_CONTACTS_UPDATE = _operation("contacts.update", patch=True)
_CONTACTS_DELETE = _operation("contacts.delete")
_CONTACTS_RESTORE = _operation("contacts.restore")
_CONTACTS_LIST = _operation("contacts.list")
_CONTACTS_SEARCH = _operation("contacts.search")
_CONTACTS_TIMELINE = _operation("contacts.timeline")
_CONTACTS_CONSENTS = _operation("contacts.consents")
_CONTACTS_RECORD_CONSENT = _operation("contacts.record_consent")
_COMPANIES_CREATE = _operation("companies.create")
_COMPANIES_GET = _operation("companies.get")
_COMPANIES_UPDATE = _operation("companies.update", patch=True)
_COMPANIES_LIST = _operation("companies.list")
_ACTIVITIES_CREATE = _operation("activities.create")
_ACTIVITIES_CREATE_ALL = _operation("activities.create_all")
_ACTIVITIES_GET = _operation("activities.get")
_ACTIVITIES_LIST = _operation("activities.list")
_ACTIVITIES_STATS = _operation("activities.stats")
_CALLS_START = _operation("calls.start")
_CALLS_LOG = _operation("calls.log")
_CALLS_GET = _operation("calls.get")
_CALLS_LIST = _operation("calls.list")
_CALLS_UPDATE = _operation("calls.update", patch=True)
_CALLS_HANG_UP = _operation("calls.hang_up")
_CALLS_DELETE_RECORDING = _operation("calls.delete_recording")
_TELEPHONY_CREATE_ACCOUNT = _operation("telephony.create_account")
_TELEPHONY_ACCOUNTS = _operation("telephony.accounts")
_TELEPHONY_UPDATE_ACCOUNT = _operation("telephony.update_account", patch=True)
_NOTIFICATIONS_LIST = _operation("notifications.list")
_NOTIFICATIONS_READ = _operation("notifications.read")
_NOTIFICATIONS_READ_ALL = _operation("notifications.read_all")
_NOTIFICATIONS_PREFERENCES = _operation("notifications.preferences")
_NOTIFICATIONS_SET_PREFERENCES = _operation("notifications.set_preferences")
_NOTIFICATIONS_BROADCAST = _operation("notifications.broadcast")
_NOTIFICATIONS_PRESENT = _operation("notifications.present")
_USERS_CREATE = _operation("users.create")
_USERS_GET = _operation("users.get")
_USERS_LIST = _operation("users.list")
_USERS_UPDATE = _operation("users.update", patch=True)
_USERS_INVITE_AGAIN = _operation("users.invite_again")
_ACCOUNT_ME = _operation("account.me")
_ACCOUNT_CHANGE_PASSWORD = _operation("account.change_password")
_ACCOUNT_SESSIONS = _operation("account.sessions")
_ACCOUNT_END_SESSION = _operation("account.end_session")
_ACCOUNT_SIGN_OUT = _operation("account.sign_out")
_ACCOUNT_STEP_UP = _operation("account.step_up")
_ACCOUNT_BEGIN_TOTP = _operation("account.begin_totp")
_ACCOUNT_CONFIRM_TOTP = _operation("account.confirm_totp")
_ACCOUNT_NEW_RECOVERY_CODES = _operation("account.new_recovery_codes")
_ACCOUNT_REMOVE_TOTP = _operation("account.remove_totp")
_API_KEYS_CREATE = _operation("api_keys.create")
_API_KEYS_LIST = _operation("api_keys.list")
_API_KEYS_REVOKE = _operation("api_keys.revoke")
_TENANT_GET = _operation("tenant.get")
_TENANT_UPDATE = _operation("tenant.update", patch=True)
_JOBS_LIST = _operation("jobs.list")
_JOBS_GET = _operation("jobs.get")
_JOBS_RETRY = _operation("jobs.retry")
_JOBS_DISCARD = _operation("jobs.discard")
_AUDIT_LIST = _operation("audit.list")
_TENANTS_CREATE = _operation("tenants.create")
_TENANTS_GET = _operation("tenants.get")
_TENANTS_LIST = _operation("tenants.list")
_TENANTS_SET_PASSWORD = _operation("tenants.set_password")
_IDENTITY_REGISTER = _operation("identity.register")
_IDENTITY_SIGN_IN = _operation("identity.sign_in")
_IDENTITY_REFRESH = _operation("identity.refresh")
_IDENTITY_ACCEPT_INVITATION = _operation("identity.accept_invitation")
_IDENTITY_KEY_SET = _operation("identity.key_set")


class Contacts(ContactsBase):
    """The operations on contacts."""

    def create(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        display_name: str | None = None,
        company: str | None = None,
        company_id: UUID | str | None = None,
        title: str | None = None,
        emails: Sequence[NewEmail] | None = None,
        phones: Sequence[NewPhone] | None = None,
        addresses: Sequence[PostalAddressInput | PostalAddress] | None = None,
        tags: Sequence[str] | None = None,
        custom: Mapping[str, bool | float | str] | None = None,
        owner_id: UUID | str | None = None,
        source: str | None = None,
    ) -> Contact:
        """Make a contact. `invalid` with one entry for each refused value; `already_exists`
        where a live contact has one of its e-mails.

        Args:
            first_name: Given name, at most 255 characters.
            last_name: Family name, at most 255 characters.
            display_name: The name to show, where it is not first and last name.
            company: The employer's name.
            company_id: The employer's own record.
            title: Job title.
            emails: E-mail addresses, the primary one first; at most 50.
            phones: Phone numbers, the primary one first; at most 50.
            addresses: Postal addresses, the primary one first; at most 50.
            tags: Tags; at most 100.
            custom: Fields of the tenant's own; at most 250.
            owner_id: The user who looks after the contact.
            source: Where the contact came from.
        """
        reply: Contact = self._call(_CONTACTS_CREATE, {
            "first_name": first_name,
            "last_name": last_name,
            "display_name": display_name,
            "company": company,
            "company_id": company_id,
            "title": title,
            "emails": emails,
            "phones": phones,
            "addresses": addresses,
            "tags": tags,
            "custom": custom,
            "owner_id": owner_id,
            "source": source,
        })
        return reply

    def create_or_update(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        display_name: str | None = None,
        company: str | None = None,
        company_id: UUID | str | None = None,
        title: str | None = None,
        emails: Sequence[NewEmail] | None = None,
        phones: Sequence[NewPhone] | None = None,
        addresses: Sequence[PostalAddressInput | PostalAddress] | None = None,
        tags: Sequence[str] | None = None,
        custom: Mapping[str, bool | float | str] | None = None,
        owner_id: UUID | str | None = None,
        source: str | None = None,
    ) -> Upserted:
        """Make a contact, or change the live one that has its e-mail.

        Args:
            first_name: Given name, at most 255 characters.
            last_name: Family name, at most 255 characters.
            display_name: The name to show, where it is not first and last name.
            company: The employer's name.
            company_id: The employer's own record.
            title: Job title.
            emails: E-mail addresses, the primary one first; at most 50.
            phones: Phone numbers, the primary one first; at most 50.
            addresses: Postal addresses, the primary one first; at most 50.
            tags: Tags; at most 100.
            custom: Fields of the tenant's own; at most 250.
            owner_id: The user who looks after the contact.
            source: Where the contact came from.
        """
        reply: Upserted = self._call(_CONTACTS_CREATE_OR_UPDATE, {
            "first_name": first_name,
            "last_name": last_name,
            "display_name": display_name,
            "company": company,
            "company_id": company_id,
            "title": title,
            "emails": emails,
            "phones": phones,
            "addresses": addresses,
            "tags": tags,
            "custom": custom,
            "owner_id": owner_id,
            "source": source,
        })
        return reply

    def create_all(
        self,
        contacts: Sequence[NewContact],
    ) -> tuple[Contact, ...]:
        """Make up to 1,000 contacts in one commit: all of them or none."""
        reply: tuple[Contact, ...] = self._call(_CONTACTS_CREATE_ALL, {"contacts": contacts})
        return reply

    def get(
        self,
        id: UUID | str,
    ) -> Contact:
        """A contact, in use or deleted. `not_found` where the tenant has none of this id.

        Args:
            id: Which one.
        """
        reply: Contact = self._call(_CONTACTS_GET, {"id": id})
        return reply

    def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        first_name: str | None | Unset = UNSET,
        last_name: str | None | Unset = UNSET,
        display_name: str | None | Unset = UNSET,
        company: str | None | Unset = UNSET,
        company_id: UUID | str | None | Unset = UNSET,
        title: str | None | Unset = UNSET,
        emails: Sequence[NewEmail] | None | Unset = UNSET,
        phones: Sequence[NewPhone] | None | Unset = UNSET,
        addresses: Sequence[PostalAddressInput | PostalAddress] | None | Unset = UNSET,
        tags: Sequence[str] | None | Unset = UNSET,
        custom: Mapping[str, bool | float | str | None] | None | Unset = UNSET,
        owner_id: UUID | str | None | Unset = UNSET,
        source: str | None | Unset = UNSET,
    ) -> Contact:
        """Change a contact: what is not given stays, None clears. `not_found`; `conflict` where
        it is deleted; `already_exists` where another has one of its e-mails; `version_conflict`
        where it is at another `version`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            first_name: Given name.
            last_name: Family name.
            display_name: The name to show; cleared, it follows the other names again.
            company: The employer's name.
            company_id: The employer's own record.
            title: Job title.
            emails: All e-mail addresses.
            phones: All phone numbers.
            addresses: All postal addresses.
            tags: All tags.
            custom: Fields of the tenant's own: None removes one.
            owner_id: The user who looks after the contact.
            source: Where the contact came from.
        """
        reply: Contact = self._call(_CONTACTS_UPDATE, {
            "id": id,
            "version": version,
            "first_name": first_name,
            "last_name": last_name,
            "display_name": display_name,
            "company": company,
            "company_id": company_id,
            "title": title,
            "emails": emails,
            "phones": phones,
            "addresses": addresses,
            "tags": tags,
            "custom": custom,
            "owner_id": owner_id,
            "source": source,
        })
        return reply

    def delete(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
    ) -> Contact:
        """Take a contact out of use. Its e-mails are free at once, and it can be restored.
        `not_found`; `conflict` where it is deleted; `version_conflict`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
        """
        reply: Contact = self._call(_CONTACTS_DELETE, {"id": id, "version": version})
        return reply

    def restore(
        self,
        id: UUID | str,
    ) -> Contact:
        """Bring a deleted contact back. `not_found`; `conflict` where it is not deleted;
        `already_exists` where one of its e-mails has been taken.

        Args:
            id: Which one.
        """
        reply: Contact = self._call(_CONTACTS_RESTORE, {"id": id})
        return reply

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort: ContactOrder | None = None,
        include_total: bool | None = None,
        email: str | None = None,
        phone: str | None = None,
        tag: str | None = None,
        owner_id: UUID | str | None = None,
        company_id: UUID | str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        updated_after: datetime | str | None = None,
        updated_before: datetime | str | None = None,
        deleted: OfDeleted | None = None,
    ) -> ContactPage:
        """A page of contacts; all filters must hold. `malformed` for a filter that cannot be
        read; `unknown_parameter` for an order that there is not; `invalid_cursor` for a cursor
        of another list.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            sort: The order; `-` before it turns it round. `created_at` where it is
                absent.
            include_total: Whether to count all contacts that the filters mean; exact, and
                as slow as that.
            email: Has this e-mail address.
            phone: Has this phone number, in any notation; one without a country code
                belongs to the tenant's region.
            tag: Has this tag.
            owner_id: Is looked after by this user.
            company_id: Works for this company.
            created_after: Made at this time or later.
            created_before: Made before this time.
            updated_after: Changed at this time or later.
            updated_before: Changed before this time.
            deleted: Deleted contacts alone (`only`) or with the others (`include`); none
                where it is absent.
        """
        reply: ContactPage = self._call(_CONTACTS_LIST, {
            "limit": limit,
            "cursor": cursor,
            "sort": sort,
            "include_total": include_total,
            "email": email,
            "phone": phone,
            "tag": tag,
            "owner_id": owner_id,
            "company_id": company_id,
            "created_after": created_after,
            "created_before": created_before,
            "updated_after": updated_after,
            "updated_before": updated_before,
            "deleted": deleted,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        sort: ContactOrder | None = None,
        include_total: bool | None = None,
        email: str | None = None,
        phone: str | None = None,
        tag: str | None = None,
        owner_id: UUID | str | None = None,
        company_id: UUID | str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        updated_after: datetime | str | None = None,
        updated_before: datetime | str | None = None,
        deleted: OfDeleted | None = None,
    ) -> Iterator[Contact]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            sort: The order; `-` before it turns it round. `created_at` where it is
                absent.
            include_total: Whether to count all contacts that the filters mean; exact, and
                as slow as that.
            email: Has this e-mail address.
            phone: Has this phone number, in any notation; one without a country code
                belongs to the tenant's region.
            tag: Has this tag.
            owner_id: Is looked after by this user.
            company_id: Works for this company.
            created_after: Made at this time or later.
            created_before: Made before this time.
            updated_after: Changed at this time or later.
            updated_before: Changed before this time.
            deleted: Deleted contacts alone (`only`) or with the others (`include`); none
                where it is absent.
        """
        return all_pages(self._call, _CONTACTS_LIST, {
            "limit": limit,
            "sort": sort,
            "include_total": include_total,
            "email": email,
            "phone": phone,
            "tag": tag,
            "owner_id": owner_id,
            "company_id": company_id,
            "created_after": created_after,
            "created_before": created_before,
            "updated_after": updated_after,
            "updated_before": updated_before,
            "deleted": deleted,
        })

    def search(
        self,
        q: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort: SearchSort | None = None,
    ) -> SearchHitPage:
        """Search contacts over names, e-mails, phones and companies; typing mistakes are
        forgiven.

        Args:
            q: What is looked for, in any words.
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            sort: The best first (`relevance`, the default) or the last changed first
                (`updated_at`).
        """
        reply: SearchHitPage = self._call(_CONTACTS_SEARCH, {"q": q, "limit": limit, "cursor": cursor, "sort": sort})
        return reply

    def iterate_search(
        self,
        q: str,
        *,
        limit: int | None = None,
        sort: SearchSort | None = None,
    ) -> Iterator[SearchHit]:
        """The items of all pages of `search`, with one call for each page.

        Args:
            q: What is looked for, in any words.
            limit: How many items the page has at most.
            sort: The best first (`relevance`, the default) or the last changed first
                (`updated_at`).
        """
        return all_pages(self._call, _CONTACTS_SEARCH, {"q": q, "limit": limit, "sort": sort})

    def timeline(
        self,
        id: UUID | str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ActivityPage:
        """A page of a contact's timeline, the newest first. `not_found`.

        Args:
            id: Which one.
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: ActivityPage = self._call(_CONTACTS_TIMELINE, {"id": id, "limit": limit, "cursor": cursor})
        return reply

    def iterate_timeline(
        self,
        id: UUID | str,
        *,
        limit: int | None = None,
    ) -> Iterator[Activity]:
        """The items of all pages of `timeline`, with one call for each page.

        Args:
            id: Which one.
            limit: How many items the page has at most.
        """
        return all_pages(self._call, _CONTACTS_TIMELINE, {"id": id, "limit": limit})

    def consents(
        self,
        id: UUID | str,
    ) -> tuple[Consent, ...]:
        """What a contact agreed to and refused, the newest first. `not_found`.

        Args:
            id: Which one.
        """
        reply: tuple[Consent, ...] = self._call(_CONTACTS_CONSENTS, {"id": id})
        return reply

    def record_consent(
        self,
        id: UUID | str,
        purpose: Purpose,
        granted: bool,
        *,
        source: str | None = None,
    ) -> Consent:
        """Write down what a contact agreed to or refused. `not_found`; `invalid`.

        Args:
            id: Which one.
            purpose: To what.
            granted: Whether they agreed.
            source: How it is known, at most 255 characters.
        """
        reply: Consent = self._call(_CONTACTS_RECORD_CONSENT, {
            "id": id,
            "purpose": purpose,
            "granted": granted,
            "source": source,
        })
        return reply


class AsyncContacts(AsyncContactsBase):
    """The operations on contacts."""

    async def create(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        display_name: str | None = None,
        company: str | None = None,
        company_id: UUID | str | None = None,
        title: str | None = None,
        emails: Sequence[NewEmail] | None = None,
        phones: Sequence[NewPhone] | None = None,
        addresses: Sequence[PostalAddressInput | PostalAddress] | None = None,
        tags: Sequence[str] | None = None,
        custom: Mapping[str, bool | float | str] | None = None,
        owner_id: UUID | str | None = None,
        source: str | None = None,
    ) -> Contact:
        """Make a contact. `invalid` with one entry for each refused value; `already_exists`
        where a live contact has one of its e-mails.

        Args:
            first_name: Given name, at most 255 characters.
            last_name: Family name, at most 255 characters.
            display_name: The name to show, where it is not first and last name.
            company: The employer's name.
            company_id: The employer's own record.
            title: Job title.
            emails: E-mail addresses, the primary one first; at most 50.
            phones: Phone numbers, the primary one first; at most 50.
            addresses: Postal addresses, the primary one first; at most 50.
            tags: Tags; at most 100.
            custom: Fields of the tenant's own; at most 250.
            owner_id: The user who looks after the contact.
            source: Where the contact came from.
        """
        reply: Contact = await self._start(_CONTACTS_CREATE, {
            "first_name": first_name,
            "last_name": last_name,
            "display_name": display_name,
            "company": company,
            "company_id": company_id,
            "title": title,
            "emails": emails,
            "phones": phones,
            "addresses": addresses,
            "tags": tags,
            "custom": custom,
            "owner_id": owner_id,
            "source": source,
        })
        return reply

    async def create_or_update(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        display_name: str | None = None,
        company: str | None = None,
        company_id: UUID | str | None = None,
        title: str | None = None,
        emails: Sequence[NewEmail] | None = None,
        phones: Sequence[NewPhone] | None = None,
        addresses: Sequence[PostalAddressInput | PostalAddress] | None = None,
        tags: Sequence[str] | None = None,
        custom: Mapping[str, bool | float | str] | None = None,
        owner_id: UUID | str | None = None,
        source: str | None = None,
    ) -> Upserted:
        """Make a contact, or change the live one that has its e-mail.

        Args:
            first_name: Given name, at most 255 characters.
            last_name: Family name, at most 255 characters.
            display_name: The name to show, where it is not first and last name.
            company: The employer's name.
            company_id: The employer's own record.
            title: Job title.
            emails: E-mail addresses, the primary one first; at most 50.
            phones: Phone numbers, the primary one first; at most 50.
            addresses: Postal addresses, the primary one first; at most 50.
            tags: Tags; at most 100.
            custom: Fields of the tenant's own; at most 250.
            owner_id: The user who looks after the contact.
            source: Where the contact came from.
        """
        reply: Upserted = await self._start(_CONTACTS_CREATE_OR_UPDATE, {
            "first_name": first_name,
            "last_name": last_name,
            "display_name": display_name,
            "company": company,
            "company_id": company_id,
            "title": title,
            "emails": emails,
            "phones": phones,
            "addresses": addresses,
            "tags": tags,
            "custom": custom,
            "owner_id": owner_id,
            "source": source,
        })
        return reply

    async def create_all(
        self,
        contacts: Sequence[NewContact],
    ) -> tuple[Contact, ...]:
        """Make up to 1,000 contacts in one commit: all of them or none."""
        reply: tuple[Contact, ...] = await self._start(_CONTACTS_CREATE_ALL, {"contacts": contacts})
        return reply

    async def get(
        self,
        id: UUID | str,
    ) -> Contact:
        """A contact, in use or deleted. `not_found` where the tenant has none of this id.

        Args:
            id: Which one.
        """
        reply: Contact = await self._start(_CONTACTS_GET, {"id": id})
        return reply

    async def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        first_name: str | None | Unset = UNSET,
        last_name: str | None | Unset = UNSET,
        display_name: str | None | Unset = UNSET,
        company: str | None | Unset = UNSET,
        company_id: UUID | str | None | Unset = UNSET,
        title: str | None | Unset = UNSET,
        emails: Sequence[NewEmail] | None | Unset = UNSET,
        phones: Sequence[NewPhone] | None | Unset = UNSET,
        addresses: Sequence[PostalAddressInput | PostalAddress] | None | Unset = UNSET,
        tags: Sequence[str] | None | Unset = UNSET,
        custom: Mapping[str, bool | float | str | None] | None | Unset = UNSET,
        owner_id: UUID | str | None | Unset = UNSET,
        source: str | None | Unset = UNSET,
    ) -> Contact:
        """Change a contact: what is not given stays, None clears. `not_found`; `conflict` where
        it is deleted; `already_exists` where another has one of its e-mails; `version_conflict`
        where it is at another `version`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            first_name: Given name.
            last_name: Family name.
            display_name: The name to show; cleared, it follows the other names again.
            company: The employer's name.
            company_id: The employer's own record.
            title: Job title.
            emails: All e-mail addresses.
            phones: All phone numbers.
            addresses: All postal addresses.
            tags: All tags.
            custom: Fields of the tenant's own: None removes one.
            owner_id: The user who looks after the contact.
            source: Where the contact came from.
        """
        reply: Contact = await self._start(_CONTACTS_UPDATE, {
            "id": id,
            "version": version,
            "first_name": first_name,
            "last_name": last_name,
            "display_name": display_name,
            "company": company,
            "company_id": company_id,
            "title": title,
            "emails": emails,
            "phones": phones,
            "addresses": addresses,
            "tags": tags,
            "custom": custom,
            "owner_id": owner_id,
            "source": source,
        })
        return reply

    async def delete(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
    ) -> Contact:
        """Take a contact out of use. Its e-mails are free at once, and it can be restored.
        `not_found`; `conflict` where it is deleted; `version_conflict`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
        """
        reply: Contact = await self._start(_CONTACTS_DELETE, {"id": id, "version": version})
        return reply

    async def restore(
        self,
        id: UUID | str,
    ) -> Contact:
        """Bring a deleted contact back. `not_found`; `conflict` where it is not deleted;
        `already_exists` where one of its e-mails has been taken.

        Args:
            id: Which one.
        """
        reply: Contact = await self._start(_CONTACTS_RESTORE, {"id": id})
        return reply

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort: ContactOrder | None = None,
        include_total: bool | None = None,
        email: str | None = None,
        phone: str | None = None,
        tag: str | None = None,
        owner_id: UUID | str | None = None,
        company_id: UUID | str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        updated_after: datetime | str | None = None,
        updated_before: datetime | str | None = None,
        deleted: OfDeleted | None = None,
    ) -> ContactPage:
        """A page of contacts; all filters must hold. `malformed` for a filter that cannot be
        read; `unknown_parameter` for an order that there is not; `invalid_cursor` for a cursor
        of another list.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            sort: The order; `-` before it turns it round. `created_at` where it is
                absent.
            include_total: Whether to count all contacts that the filters mean; exact, and
                as slow as that.
            email: Has this e-mail address.
            phone: Has this phone number, in any notation; one without a country code
                belongs to the tenant's region.
            tag: Has this tag.
            owner_id: Is looked after by this user.
            company_id: Works for this company.
            created_after: Made at this time or later.
            created_before: Made before this time.
            updated_after: Changed at this time or later.
            updated_before: Changed before this time.
            deleted: Deleted contacts alone (`only`) or with the others (`include`); none
                where it is absent.
        """
        reply: ContactPage = await self._start(_CONTACTS_LIST, {
            "limit": limit,
            "cursor": cursor,
            "sort": sort,
            "include_total": include_total,
            "email": email,
            "phone": phone,
            "tag": tag,
            "owner_id": owner_id,
            "company_id": company_id,
            "created_after": created_after,
            "created_before": created_before,
            "updated_after": updated_after,
            "updated_before": updated_before,
            "deleted": deleted,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        sort: ContactOrder | None = None,
        include_total: bool | None = None,
        email: str | None = None,
        phone: str | None = None,
        tag: str | None = None,
        owner_id: UUID | str | None = None,
        company_id: UUID | str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        updated_after: datetime | str | None = None,
        updated_before: datetime | str | None = None,
        deleted: OfDeleted | None = None,
    ) -> AsyncIterator[Contact]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            sort: The order; `-` before it turns it round. `created_at` where it is
                absent.
            include_total: Whether to count all contacts that the filters mean; exact, and
                as slow as that.
            email: Has this e-mail address.
            phone: Has this phone number, in any notation; one without a country code
                belongs to the tenant's region.
            tag: Has this tag.
            owner_id: Is looked after by this user.
            company_id: Works for this company.
            created_after: Made at this time or later.
            created_before: Made before this time.
            updated_after: Changed at this time or later.
            updated_before: Changed before this time.
            deleted: Deleted contacts alone (`only`) or with the others (`include`); none
                where it is absent.
        """
        return all_pages_async(self._start, _CONTACTS_LIST, {
            "limit": limit,
            "sort": sort,
            "include_total": include_total,
            "email": email,
            "phone": phone,
            "tag": tag,
            "owner_id": owner_id,
            "company_id": company_id,
            "created_after": created_after,
            "created_before": created_before,
            "updated_after": updated_after,
            "updated_before": updated_before,
            "deleted": deleted,
        })

    async def search(
        self,
        q: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        sort: SearchSort | None = None,
    ) -> SearchHitPage:
        """Search contacts over names, e-mails, phones and companies; typing mistakes are
        forgiven.

        Args:
            q: What is looked for, in any words.
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            sort: The best first (`relevance`, the default) or the last changed first
                (`updated_at`).
        """
        reply: SearchHitPage = await self._start(_CONTACTS_SEARCH, {"q": q, "limit": limit, "cursor": cursor, "sort": sort})
        return reply

    def iterate_search(
        self,
        q: str,
        *,
        limit: int | None = None,
        sort: SearchSort | None = None,
    ) -> AsyncIterator[SearchHit]:
        """The items of all pages of `search`, with one call for each page.

        Args:
            q: What is looked for, in any words.
            limit: How many items the page has at most.
            sort: The best first (`relevance`, the default) or the last changed first
                (`updated_at`).
        """
        return all_pages_async(self._start, _CONTACTS_SEARCH, {"q": q, "limit": limit, "sort": sort})

    async def timeline(
        self,
        id: UUID | str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ActivityPage:
        """A page of a contact's timeline, the newest first. `not_found`.

        Args:
            id: Which one.
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: ActivityPage = await self._start(_CONTACTS_TIMELINE, {"id": id, "limit": limit, "cursor": cursor})
        return reply

    def iterate_timeline(
        self,
        id: UUID | str,
        *,
        limit: int | None = None,
    ) -> AsyncIterator[Activity]:
        """The items of all pages of `timeline`, with one call for each page.

        Args:
            id: Which one.
            limit: How many items the page has at most.
        """
        return all_pages_async(self._start, _CONTACTS_TIMELINE, {"id": id, "limit": limit})

    async def consents(
        self,
        id: UUID | str,
    ) -> tuple[Consent, ...]:
        """What a contact agreed to and refused, the newest first. `not_found`.

        Args:
            id: Which one.
        """
        reply: tuple[Consent, ...] = await self._start(_CONTACTS_CONSENTS, {"id": id})
        return reply

    async def record_consent(
        self,
        id: UUID | str,
        purpose: Purpose,
        granted: bool,
        *,
        source: str | None = None,
    ) -> Consent:
        """Write down what a contact agreed to or refused. `not_found`; `invalid`.

        Args:
            id: Which one.
            purpose: To what.
            granted: Whether they agreed.
            source: How it is known, at most 255 characters.
        """
        reply: Consent = await self._start(_CONTACTS_RECORD_CONSENT, {
            "id": id,
            "purpose": purpose,
            "granted": granted,
            "source": source,
        })
        return reply


class Companies(Namespace):
    """The operations on companies."""

    def create(
        self,
        name: str,
        *,
        domain: str | None = None,
    ) -> Company:
        """Make a company. `already_exists` where its name or domain is taken; `invalid`.

        Args:
            name: Its name, at most 255 characters.
            domain: The domain of its e-mail addresses.
        """
        reply: Company = self._call(_COMPANIES_CREATE, {"name": name, "domain": domain})
        return reply

    def get(
        self,
        id: UUID | str,
    ) -> Company:
        """A company. `not_found`.

        Args:
            id: Which one.
        """
        reply: Company = self._call(_COMPANIES_GET, {"id": id})
        return reply

    def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        name: str | Unset = UNSET,
        domain: str | None | Unset = UNSET,
    ) -> Company:
        """Change a company: what is not given stays, None clears. `not_found`; `already_exists`;
        `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            name: Its name; cannot be cleared.
            domain: The domain of its e-mail addresses.
        """
        reply: Company = self._call(_COMPANIES_UPDATE, {
            "id": id,
            "version": version,
            "name": name,
            "domain": domain,
        })
        return reply

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> CompanyPage:
        """A page of companies, by name.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: CompanyPage = self._call(_COMPANIES_LIST, {"limit": limit, "cursor": cursor})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
    ) -> Iterator[Company]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
        """
        return all_pages(self._call, _COMPANIES_LIST, {"limit": limit})


class AsyncCompanies(AsyncNamespace):
    """The operations on companies."""

    async def create(
        self,
        name: str,
        *,
        domain: str | None = None,
    ) -> Company:
        """Make a company. `already_exists` where its name or domain is taken; `invalid`.

        Args:
            name: Its name, at most 255 characters.
            domain: The domain of its e-mail addresses.
        """
        reply: Company = await self._start(_COMPANIES_CREATE, {"name": name, "domain": domain})
        return reply

    async def get(
        self,
        id: UUID | str,
    ) -> Company:
        """A company. `not_found`.

        Args:
            id: Which one.
        """
        reply: Company = await self._start(_COMPANIES_GET, {"id": id})
        return reply

    async def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        name: str | Unset = UNSET,
        domain: str | None | Unset = UNSET,
    ) -> Company:
        """Change a company: what is not given stays, None clears. `not_found`; `already_exists`;
        `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            name: Its name; cannot be cleared.
            domain: The domain of its e-mail addresses.
        """
        reply: Company = await self._start(_COMPANIES_UPDATE, {
            "id": id,
            "version": version,
            "name": name,
            "domain": domain,
        })
        return reply

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> CompanyPage:
        """A page of companies, by name.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: CompanyPage = await self._start(_COMPANIES_LIST, {"limit": limit, "cursor": cursor})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
    ) -> AsyncIterator[Company]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
        """
        return all_pages_async(self._start, _COMPANIES_LIST, {"limit": limit})


class Activities(Namespace):
    """The operations on activities."""

    def create(
        self,
        contact_id: UUID | str,
        kind: ActivityKind,
        *,
        occurred_at: datetime | str | None = None,
        subject: str | None = None,
        body: str | None = None,
        data: Any = None,
    ) -> Activity:
        """Log what happened with a contact. `not_found` where there is no such contact in use;
        `invalid` for a kind that only the CRM writes, or data of another shape than its kind's.

        Args:
            contact_id: The contact on whose timeline it will stand.
            kind: One of the kinds that people write.
            occurred_at: When it happened; now, where it is absent.
            subject: One line, at most 500 characters.
            body: The text, at most 65536 bytes.
            data: The kind's own fields, at most max data bytes; none, where it is absent.
        """
        reply: Activity = self._call(_ACTIVITIES_CREATE, {
            "contact_id": contact_id,
            "kind": kind,
            "occurred_at": occurred_at,
            "subject": subject,
            "body": body,
            "data": data,
        })
        return reply

    def create_all(
        self,
        activities: Sequence[NewActivity],
    ) -> tuple[Activity, ...]:
        """Log up to 1,000 activities in one commit: all of them or none."""
        reply: tuple[Activity, ...] = self._call(_ACTIVITIES_CREATE_ALL, {"activities": activities})
        return reply

    def get(
        self,
        id: UUID | str,
    ) -> Activity:
        """An activity. `not_found`.

        Args:
            id: Which one.
        """
        reply: Activity = self._call(_ACTIVITIES_GET, {"id": id})
        return reply

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        contact_id: UUID | str | None = None,
        kind: ActivityKind | None = None,
        user_id: UUID | str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> ActivityPage:
        """A page of activities, the newest first; all filters must hold.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            contact_id: On this contact's timeline.
            kind: Of this kind.
            user_id: By this user.
            from_: At this time or later.
            to: Before this time.
        """
        reply: ActivityPage = self._call(_ACTIVITIES_LIST, {
            "limit": limit,
            "cursor": cursor,
            "contact_id": contact_id,
            "kind": kind,
            "user_id": user_id,
            "from": from_,
            "to": to,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        contact_id: UUID | str | None = None,
        kind: ActivityKind | None = None,
        user_id: UUID | str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> Iterator[Activity]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            contact_id: On this contact's timeline.
            kind: Of this kind.
            user_id: By this user.
            from_: At this time or later.
            to: Before this time.
        """
        return all_pages(self._call, _ACTIVITIES_LIST, {
            "limit": limit,
            "contact_id": contact_id,
            "kind": kind,
            "user_id": user_id,
            "from": from_,
            "to": to,
        })

    def stats(
        self,
        group_by: StatsGroupBy,
        *,
        contact_id: UUID | str | None = None,
        kind: ActivityKind | None = None,
        user_id: UUID | str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> Stats:
        """How many activities there are, by kind, user or day.

        Args:
            group_by: What to count by.
            contact_id: On this contact's timeline.
            kind: Of this kind.
            user_id: By this user.
            from_: At this time or later.
            to: Before this time.
        """
        reply: Stats = self._call(_ACTIVITIES_STATS, {
            "group_by": group_by,
            "contact_id": contact_id,
            "kind": kind,
            "user_id": user_id,
            "from": from_,
            "to": to,
        })
        return reply


class AsyncActivities(AsyncNamespace):
    """The operations on activities."""

    async def create(
        self,
        contact_id: UUID | str,
        kind: ActivityKind,
        *,
        occurred_at: datetime | str | None = None,
        subject: str | None = None,
        body: str | None = None,
        data: Any = None,
    ) -> Activity:
        """Log what happened with a contact. `not_found` where there is no such contact in use;
        `invalid` for a kind that only the CRM writes, or data of another shape than its kind's.

        Args:
            contact_id: The contact on whose timeline it will stand.
            kind: One of the kinds that people write.
            occurred_at: When it happened; now, where it is absent.
            subject: One line, at most 500 characters.
            body: The text, at most 65536 bytes.
            data: The kind's own fields, at most max data bytes; none, where it is absent.
        """
        reply: Activity = await self._start(_ACTIVITIES_CREATE, {
            "contact_id": contact_id,
            "kind": kind,
            "occurred_at": occurred_at,
            "subject": subject,
            "body": body,
            "data": data,
        })
        return reply

    async def create_all(
        self,
        activities: Sequence[NewActivity],
    ) -> tuple[Activity, ...]:
        """Log up to 1,000 activities in one commit: all of them or none."""
        reply: tuple[Activity, ...] = await self._start(_ACTIVITIES_CREATE_ALL, {"activities": activities})
        return reply

    async def get(
        self,
        id: UUID | str,
    ) -> Activity:
        """An activity. `not_found`.

        Args:
            id: Which one.
        """
        reply: Activity = await self._start(_ACTIVITIES_GET, {"id": id})
        return reply

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        contact_id: UUID | str | None = None,
        kind: ActivityKind | None = None,
        user_id: UUID | str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> ActivityPage:
        """A page of activities, the newest first; all filters must hold.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            contact_id: On this contact's timeline.
            kind: Of this kind.
            user_id: By this user.
            from_: At this time or later.
            to: Before this time.
        """
        reply: ActivityPage = await self._start(_ACTIVITIES_LIST, {
            "limit": limit,
            "cursor": cursor,
            "contact_id": contact_id,
            "kind": kind,
            "user_id": user_id,
            "from": from_,
            "to": to,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        contact_id: UUID | str | None = None,
        kind: ActivityKind | None = None,
        user_id: UUID | str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> AsyncIterator[Activity]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            contact_id: On this contact's timeline.
            kind: Of this kind.
            user_id: By this user.
            from_: At this time or later.
            to: Before this time.
        """
        return all_pages_async(self._start, _ACTIVITIES_LIST, {
            "limit": limit,
            "contact_id": contact_id,
            "kind": kind,
            "user_id": user_id,
            "from": from_,
            "to": to,
        })

    async def stats(
        self,
        group_by: StatsGroupBy,
        *,
        contact_id: UUID | str | None = None,
        kind: ActivityKind | None = None,
        user_id: UUID | str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> Stats:
        """How many activities there are, by kind, user or day.

        Args:
            group_by: What to count by.
            contact_id: On this contact's timeline.
            kind: Of this kind.
            user_id: By this user.
            from_: At this time or later.
            to: Before this time.
        """
        reply: Stats = await self._start(_ACTIVITIES_STATS, {
            "group_by": group_by,
            "contact_id": contact_id,
            "kind": kind,
            "user_id": user_id,
            "from": from_,
            "to": to,
        })
        return reply


class Calls(CallsBase):
    """The operations on calls."""

    def start(
        self,
        contact_id: UUID | str,
        *,
        to: str | None = None,
        from_: str | None = None,
        record: bool | None = None,
    ) -> Call:
        """Call a contact. The carrier is asked after the reply; the call's status and events
        tell what becomes of it. `not_found`; `conflict` where the contact refused to be called
        or recorded, or the tenant has no number; `invalid`.

        Args:
            contact_id: Who is called.
            to: One of the contact's numbers, in any notation; the primary one where it is
                absent.
            from_: One of the tenant's numbers, in any notation; the first one of its
                first account where it is absent.
            record: Whether it is to be recorded, which takes the contact's consent.
        """
        reply: Call = self._call(_CALLS_START, {
            "contact_id": contact_id,
            "to": to,
            "from": from_,
            "record": record,
        })
        return reply

    def log(
        self,
        contact_id: UUID | str,
        direction: Literal["inbound", "outbound"],
        *,
        number: str | None = None,
        started_at: datetime | str | None = None,
        status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
] | None = None,
        duration_seconds: int | None = None,
        disposition: str | None = None,
        note: str | None = None,
    ) -> Call:
        """Write down a call that took place elsewhere.

        Args:
            contact_id: With whom.
            direction: Who called whom.
            number: The contact's number, in any notation; the primary one where it is
                absent.
            started_at: When it began; now, where it is absent.
            status: How it ended: `completed` where it is absent, or another end.
            duration_seconds: How long was talked, at most a week.
            disposition: What came of it: one of the tenant's dispositions.
            note: What is to be known of it, at most 10000 characters.
        """
        reply: Call = self._call(_CALLS_LOG, {
            "contact_id": contact_id,
            "direction": direction,
            "number": number,
            "started_at": started_at,
            "status": status,
            "duration_seconds": duration_seconds,
            "disposition": disposition,
            "note": note,
        })
        return reply

    def get(
        self,
        id: UUID | str,
    ) -> Call:
        """A call. `not_found`.

        Args:
            id: Which one.
        """
        reply: Call = self._call(_CALLS_GET, {"id": id})
        return reply

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        contact_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        direction: Literal["inbound", "outbound"] | None = None,
        status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
] | None = None,
        disposition: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> CallPage:
        """A page of calls, the newest first; all filters must hold.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            contact_id: With this contact.
            user_id: By this user.
            direction: Who called whom.
            status: So far for the carrier.
            disposition: With this outcome.
            from_: Begun at this time or later.
            to: Begun before this time.
        """
        reply: CallPage = self._call(_CALLS_LIST, {
            "limit": limit,
            "cursor": cursor,
            "contact_id": contact_id,
            "user_id": user_id,
            "direction": direction,
            "status": status,
            "disposition": disposition,
            "from": from_,
            "to": to,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        contact_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        direction: Literal["inbound", "outbound"] | None = None,
        status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
] | None = None,
        disposition: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> Iterator[Call]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            contact_id: With this contact.
            user_id: By this user.
            direction: Who called whom.
            status: So far for the carrier.
            disposition: With this outcome.
            from_: Begun at this time or later.
            to: Begun before this time.
        """
        return all_pages(self._call, _CALLS_LIST, {
            "limit": limit,
            "contact_id": contact_id,
            "user_id": user_id,
            "direction": direction,
            "status": status,
            "disposition": disposition,
            "from": from_,
            "to": to,
        })

    def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        disposition: str | None | Unset = UNSET,
        note: str | None | Unset = UNSET,
    ) -> Call:
        """Change what came of a call, or its note. `not_found`; `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            disposition: What came of it: one of the tenant's dispositions.
            note: What is to be known of it, at most 10000 characters.
        """
        reply: Call = self._call(_CALLS_UPDATE, {
            "id": id,
            "version": version,
            "disposition": disposition,
            "note": note,
        })
        return reply

    def hang_up(
        self,
        id: UUID | str,
    ) -> Call:
        """End a call. `not_found`; `conflict` where it is over.

        Args:
            id: Which one.
        """
        reply: Call = self._call(_CALLS_HANG_UP, {"id": id})
        return reply

    def delete_recording(
        self,
        id: UUID | str,
    ) -> Call:
        """Delete a call's recordings here and at the carrier. `not_found`.

        Args:
            id: Which one.
        """
        reply: Call = self._call(_CALLS_DELETE_RECORDING, {"id": id})
        return reply


class AsyncCalls(AsyncCallsBase):
    """The operations on calls."""

    async def start(
        self,
        contact_id: UUID | str,
        *,
        to: str | None = None,
        from_: str | None = None,
        record: bool | None = None,
    ) -> Call:
        """Call a contact. The carrier is asked after the reply; the call's status and events
        tell what becomes of it. `not_found`; `conflict` where the contact refused to be called
        or recorded, or the tenant has no number; `invalid`.

        Args:
            contact_id: Who is called.
            to: One of the contact's numbers, in any notation; the primary one where it is
                absent.
            from_: One of the tenant's numbers, in any notation; the first one of its
                first account where it is absent.
            record: Whether it is to be recorded, which takes the contact's consent.
        """
        reply: Call = await self._start(_CALLS_START, {
            "contact_id": contact_id,
            "to": to,
            "from": from_,
            "record": record,
        })
        return reply

    async def log(
        self,
        contact_id: UUID | str,
        direction: Literal["inbound", "outbound"],
        *,
        number: str | None = None,
        started_at: datetime | str | None = None,
        status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
] | None = None,
        duration_seconds: int | None = None,
        disposition: str | None = None,
        note: str | None = None,
    ) -> Call:
        """Write down a call that took place elsewhere.

        Args:
            contact_id: With whom.
            direction: Who called whom.
            number: The contact's number, in any notation; the primary one where it is
                absent.
            started_at: When it began; now, where it is absent.
            status: How it ended: `completed` where it is absent, or another end.
            duration_seconds: How long was talked, at most a week.
            disposition: What came of it: one of the tenant's dispositions.
            note: What is to be known of it, at most 10000 characters.
        """
        reply: Call = await self._start(_CALLS_LOG, {
            "contact_id": contact_id,
            "direction": direction,
            "number": number,
            "started_at": started_at,
            "status": status,
            "duration_seconds": duration_seconds,
            "disposition": disposition,
            "note": note,
        })
        return reply

    async def get(
        self,
        id: UUID | str,
    ) -> Call:
        """A call. `not_found`.

        Args:
            id: Which one.
        """
        reply: Call = await self._start(_CALLS_GET, {"id": id})
        return reply

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        contact_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        direction: Literal["inbound", "outbound"] | None = None,
        status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
] | None = None,
        disposition: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> CallPage:
        """A page of calls, the newest first; all filters must hold.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            contact_id: With this contact.
            user_id: By this user.
            direction: Who called whom.
            status: So far for the carrier.
            disposition: With this outcome.
            from_: Begun at this time or later.
            to: Begun before this time.
        """
        reply: CallPage = await self._start(_CALLS_LIST, {
            "limit": limit,
            "cursor": cursor,
            "contact_id": contact_id,
            "user_id": user_id,
            "direction": direction,
            "status": status,
            "disposition": disposition,
            "from": from_,
            "to": to,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        contact_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        direction: Literal["inbound", "outbound"] | None = None,
        status: Literal[
    "queued",
    "initiated",
    "ringing",
    "in_progress",
    "failed",
    "canceled",
    "no_answer",
    "busy",
    "completed",
] | None = None,
        disposition: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> AsyncIterator[Call]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            contact_id: With this contact.
            user_id: By this user.
            direction: Who called whom.
            status: So far for the carrier.
            disposition: With this outcome.
            from_: Begun at this time or later.
            to: Begun before this time.
        """
        return all_pages_async(self._start, _CALLS_LIST, {
            "limit": limit,
            "contact_id": contact_id,
            "user_id": user_id,
            "direction": direction,
            "status": status,
            "disposition": disposition,
            "from": from_,
            "to": to,
        })

    async def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        disposition: str | None | Unset = UNSET,
        note: str | None | Unset = UNSET,
    ) -> Call:
        """Change what came of a call, or its note. `not_found`; `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            disposition: What came of it: one of the tenant's dispositions.
            note: What is to be known of it, at most 10000 characters.
        """
        reply: Call = await self._start(_CALLS_UPDATE, {
            "id": id,
            "version": version,
            "disposition": disposition,
            "note": note,
        })
        return reply

    async def hang_up(
        self,
        id: UUID | str,
    ) -> Call:
        """End a call. `not_found`; `conflict` where it is over.

        Args:
            id: Which one.
        """
        reply: Call = await self._start(_CALLS_HANG_UP, {"id": id})
        return reply

    async def delete_recording(
        self,
        id: UUID | str,
    ) -> Call:
        """Delete a call's recordings here and at the carrier. `not_found`.

        Args:
            id: Which one.
        """
        reply: Call = await self._start(_CALLS_DELETE_RECORDING, {"id": id})
        return reply


class Telephony(Namespace):
    """The operations on telephony."""

    def create_account(
        self,
        provider: str,
        name: str,
        secrets: CarrierSecrets,
        *,
        numbers: Sequence[str] | None = None,
        connect_to: str | None = None,
        greeting: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> TelephonyAccount:
        """Make an account with a carrier. `invalid`.

        Args:
            provider: Which carrier: `twilio`, or `simulator`, which makes calls up.
            name: The carrier's name of the account, e.g. `AC…`.
            secrets: What proves that it is ours.
            numbers: Its numbers, in any notation, at most 200.
            connect_to: Who is connected with the other side, in and out, in any notation.
            greeting: What is said where nobody is connected, at most 500 characters.
            options: The carrier's own settings, e.g. `edge` and `region`, at most 10.
        """
        reply: TelephonyAccount = self._call(_TELEPHONY_CREATE_ACCOUNT, {
            "provider": provider,
            "name": name,
            "secrets": secrets,
            "numbers": numbers,
            "connect_to": connect_to,
            "greeting": greeting,
            "options": options,
        })
        return reply

    def accounts(self) -> tuple[TelephonyAccount, ...]:
        """The accounts with carriers, in the order in which they were made."""
        reply: tuple[TelephonyAccount, ...] = self._call(_TELEPHONY_ACCOUNTS, {})
        return reply

    def update_account(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        secrets: CarrierSecrets | Unset = UNSET,
        numbers: Sequence[str] | None | Unset = UNSET,
        connect_to: str | None | Unset = UNSET,
        greeting: str | None | Unset = UNSET,
        options: Mapping[str, str] | None | Unset = UNSET,
        active: bool | Unset = UNSET,
    ) -> TelephonyAccount:
        """Change an account with a carrier. `not_found`; `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            secrets: What proves that it is ours: two tokens while one takes the place of
                the other. Cannot be cleared.
            numbers: Its numbers, in any notation, at most 200.
            connect_to: Who is connected with the other side, in any notation.
            greeting: What is said where nobody is connected, at most 500 characters.
            options: The carrier's own settings, at most 10.
            active: Whether it is used. Cannot be cleared.
        """
        reply: TelephonyAccount = self._call(_TELEPHONY_UPDATE_ACCOUNT, {
            "id": id,
            "version": version,
            "secrets": secrets,
            "numbers": numbers,
            "connect_to": connect_to,
            "greeting": greeting,
            "options": options,
            "active": active,
        })
        return reply


class AsyncTelephony(AsyncNamespace):
    """The operations on telephony."""

    async def create_account(
        self,
        provider: str,
        name: str,
        secrets: CarrierSecrets,
        *,
        numbers: Sequence[str] | None = None,
        connect_to: str | None = None,
        greeting: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> TelephonyAccount:
        """Make an account with a carrier. `invalid`.

        Args:
            provider: Which carrier: `twilio`, or `simulator`, which makes calls up.
            name: The carrier's name of the account, e.g. `AC…`.
            secrets: What proves that it is ours.
            numbers: Its numbers, in any notation, at most 200.
            connect_to: Who is connected with the other side, in and out, in any notation.
            greeting: What is said where nobody is connected, at most 500 characters.
            options: The carrier's own settings, e.g. `edge` and `region`, at most 10.
        """
        reply: TelephonyAccount = await self._start(_TELEPHONY_CREATE_ACCOUNT, {
            "provider": provider,
            "name": name,
            "secrets": secrets,
            "numbers": numbers,
            "connect_to": connect_to,
            "greeting": greeting,
            "options": options,
        })
        return reply

    async def accounts(self) -> tuple[TelephonyAccount, ...]:
        """The accounts with carriers, in the order in which they were made."""
        reply: tuple[TelephonyAccount, ...] = await self._start(_TELEPHONY_ACCOUNTS, {})
        return reply

    async def update_account(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        secrets: CarrierSecrets | Unset = UNSET,
        numbers: Sequence[str] | None | Unset = UNSET,
        connect_to: str | None | Unset = UNSET,
        greeting: str | None | Unset = UNSET,
        options: Mapping[str, str] | None | Unset = UNSET,
        active: bool | Unset = UNSET,
    ) -> TelephonyAccount:
        """Change an account with a carrier. `not_found`; `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            secrets: What proves that it is ours: two tokens while one takes the place of
                the other. Cannot be cleared.
            numbers: Its numbers, in any notation, at most 200.
            connect_to: Who is connected with the other side, in any notation.
            greeting: What is said where nobody is connected, at most 500 characters.
            options: The carrier's own settings, at most 10.
            active: Whether it is used. Cannot be cleared.
        """
        reply: TelephonyAccount = await self._start(_TELEPHONY_UPDATE_ACCOUNT, {
            "id": id,
            "version": version,
            "secrets": secrets,
            "numbers": numbers,
            "connect_to": connect_to,
            "greeting": greeting,
            "options": options,
            "active": active,
        })
        return reply


class Notifications(Namespace):
    """The operations on notifications."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        unread: bool | None = None,
    ) -> NotificationPage:
        """A page of one's notifications, the newest first.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            unread: Only those that were not read.
        """
        reply: NotificationPage = self._call(_NOTIFICATIONS_LIST, {"limit": limit, "cursor": cursor, "unread": unread})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        unread: bool | None = None,
    ) -> Iterator[Notification]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            unread: Only those that were not read.
        """
        return all_pages(self._call, _NOTIFICATIONS_LIST, {"limit": limit, "unread": unread})

    def read(
        self,
        id: UUID | str,
    ) -> Notification:
        """Mark one as read. `not_found`.

        Args:
            id: Which one.
        """
        reply: Notification = self._call(_NOTIFICATIONS_READ, {"id": id})
        return reply

    def read_all(self) -> Marked:
        """Mark all as read."""
        reply: Marked = self._call(_NOTIFICATIONS_READ_ALL, {})
        return reply

    def preferences(self) -> NotificationPreferences:
        """What one wants to be told, and how."""
        reply: NotificationPreferences = self._call(_NOTIFICATIONS_PREFERENCES, {})
        return reply

    def set_preferences(
        self,
        *,
        version: int | None = None,
        channels: Mapping[str, Mapping[str, bool]] | None = None,
        quiet_hours: QuietHoursInput | QuietHours | None = None,
    ) -> NotificationPreferences:
        """New preferences in place of those before. `version_conflict`; `invalid`.

        Args:
            version: The version that it has to be at, where that matters.
            channels: By kind and channel, whether it is wanted; what is not named is.
            quiet_hours: When channels outside of the program keep silent.
        """
        reply: NotificationPreferences = self._call(_NOTIFICATIONS_SET_PREFERENCES, {
            "version": version,
            "channels": channels,
            "quiet_hours": quiet_hours,
        })
        return reply

    def broadcast(
        self,
        title: str,
        *,
        body: str | None = None,
        to: Audience | None = None,
    ) -> Told:
        """Tell everybody of the tenant, or of a role, something. `forbidden`; `invalid`.

        Args:
            title: One line, 1 to 200 characters.
            body: More, up to 4,000 characters.
            to: Who is told; everybody where nothing is said.
        """
        reply: Told = self._call(_NOTIFICATIONS_BROADCAST, {"title": title, "body": body, "to": to})
        return reply

    def present(self) -> tuple[Present, ...]:
        """Who is connected."""
        reply: tuple[Present, ...] = self._call(_NOTIFICATIONS_PRESENT, {})
        return reply


class AsyncNotifications(AsyncNamespace):
    """The operations on notifications."""

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        unread: bool | None = None,
    ) -> NotificationPage:
        """A page of one's notifications, the newest first.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            unread: Only those that were not read.
        """
        reply: NotificationPage = await self._start(_NOTIFICATIONS_LIST, {"limit": limit, "cursor": cursor, "unread": unread})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        unread: bool | None = None,
    ) -> AsyncIterator[Notification]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            unread: Only those that were not read.
        """
        return all_pages_async(self._start, _NOTIFICATIONS_LIST, {"limit": limit, "unread": unread})

    async def read(
        self,
        id: UUID | str,
    ) -> Notification:
        """Mark one as read. `not_found`.

        Args:
            id: Which one.
        """
        reply: Notification = await self._start(_NOTIFICATIONS_READ, {"id": id})
        return reply

    async def read_all(self) -> Marked:
        """Mark all as read."""
        reply: Marked = await self._start(_NOTIFICATIONS_READ_ALL, {})
        return reply

    async def preferences(self) -> NotificationPreferences:
        """What one wants to be told, and how."""
        reply: NotificationPreferences = await self._start(_NOTIFICATIONS_PREFERENCES, {})
        return reply

    async def set_preferences(
        self,
        *,
        version: int | None = None,
        channels: Mapping[str, Mapping[str, bool]] | None = None,
        quiet_hours: QuietHoursInput | QuietHours | None = None,
    ) -> NotificationPreferences:
        """New preferences in place of those before. `version_conflict`; `invalid`.

        Args:
            version: The version that it has to be at, where that matters.
            channels: By kind and channel, whether it is wanted; what is not named is.
            quiet_hours: When channels outside of the program keep silent.
        """
        reply: NotificationPreferences = await self._start(_NOTIFICATIONS_SET_PREFERENCES, {
            "version": version,
            "channels": channels,
            "quiet_hours": quiet_hours,
        })
        return reply

    async def broadcast(
        self,
        title: str,
        *,
        body: str | None = None,
        to: Audience | None = None,
    ) -> Told:
        """Tell everybody of the tenant, or of a role, something. `forbidden`; `invalid`.

        Args:
            title: One line, 1 to 200 characters.
            body: More, up to 4,000 characters.
            to: Who is told; everybody where nothing is said.
        """
        reply: Told = await self._start(_NOTIFICATIONS_BROADCAST, {"title": title, "body": body, "to": to})
        return reply

    async def present(self) -> tuple[Present, ...]:
        """Who is connected."""
        reply: tuple[Present, ...] = await self._start(_NOTIFICATIONS_PRESENT, {})
        return reply


class Users(Namespace):
    """The operations on users."""

    def create(
        self,
        email: str,
        role: Role,
        *,
        full_name: str | None = None,
    ) -> CreatedUser:
        """Invite a user. `invitation`, which lets them in, is in this reply and in no other.
        `forbidden` for a role above one's own; `already_exists` where the address is taken;
        `invalid`.

        Args:
            email: The address they sign in with.
            role: What they may do.
            full_name: Their name; the address where it is absent.
        """
        reply: CreatedUser = self._call(_USERS_CREATE, {"email": email, "role": role, "full_name": full_name})
        return reply

    def get(
        self,
        id: UUID | str,
    ) -> User:
        """A user. `not_found`.

        Args:
            id: Which one.
        """
        reply: User = self._call(_USERS_GET, {"id": id})
        return reply

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> UserPage:
        """A page of users, in the order in which they were made.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: UserPage = self._call(_USERS_LIST, {"limit": limit, "cursor": cursor})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
    ) -> Iterator[User]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
        """
        return all_pages(self._call, _USERS_LIST, {"limit": limit})

    def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        full_name: str | Unset = UNSET,
        role: Role | Unset = UNSET,
        status: UserStatus | Unset = UNSET,
    ) -> User:
        """Change a user's name, role or status. `not_found`; `forbidden`; `conflict` for the
        last owner; `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            full_name: Their name.
            role: What they may do.
            status: Whether they may work.
        """
        reply: User = self._call(_USERS_UPDATE, {
            "id": id,
            "version": version,
            "full_name": full_name,
            "role": role,
            "status": status,
        })
        return reply

    def invite_again(
        self,
        id: UUID | str,
    ) -> CreatedUser:
        """Invite a user who did not come yet again; the invitation before is void. `not_found`;
        `conflict`.

        Args:
            id: Which one.
        """
        reply: CreatedUser = self._call(_USERS_INVITE_AGAIN, {"id": id})
        return reply


class AsyncUsers(AsyncNamespace):
    """The operations on users."""

    async def create(
        self,
        email: str,
        role: Role,
        *,
        full_name: str | None = None,
    ) -> CreatedUser:
        """Invite a user. `invitation`, which lets them in, is in this reply and in no other.
        `forbidden` for a role above one's own; `already_exists` where the address is taken;
        `invalid`.

        Args:
            email: The address they sign in with.
            role: What they may do.
            full_name: Their name; the address where it is absent.
        """
        reply: CreatedUser = await self._start(_USERS_CREATE, {"email": email, "role": role, "full_name": full_name})
        return reply

    async def get(
        self,
        id: UUID | str,
    ) -> User:
        """A user. `not_found`.

        Args:
            id: Which one.
        """
        reply: User = await self._start(_USERS_GET, {"id": id})
        return reply

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> UserPage:
        """A page of users, in the order in which they were made.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: UserPage = await self._start(_USERS_LIST, {"limit": limit, "cursor": cursor})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
    ) -> AsyncIterator[User]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
        """
        return all_pages_async(self._start, _USERS_LIST, {"limit": limit})

    async def update(
        self,
        id: UUID | str,
        *,
        version: int | None = None,
        full_name: str | Unset = UNSET,
        role: Role | Unset = UNSET,
        status: UserStatus | Unset = UNSET,
    ) -> User:
        """Change a user's name, role or status. `not_found`; `forbidden`; `conflict` for the
        last owner; `version_conflict`; `invalid`.

        Args:
            id: Which one.
            version: The version that it has to be at, where that matters.
            full_name: Their name.
            role: What they may do.
            status: Whether they may work.
        """
        reply: User = await self._start(_USERS_UPDATE, {
            "id": id,
            "version": version,
            "full_name": full_name,
            "role": role,
            "status": status,
        })
        return reply

    async def invite_again(
        self,
        id: UUID | str,
    ) -> CreatedUser:
        """Invite a user who did not come yet again; the invitation before is void. `not_found`;
        `conflict`.

        Args:
            id: Which one.
        """
        reply: CreatedUser = await self._start(_USERS_INVITE_AGAIN, {"id": id})
        return reply


class Account(Namespace):
    """The operations on account."""

    def me(self) -> Me:
        """Who one is, with all that one may do."""
        reply: Me = self._call(_ACCOUNT_ME, {})
        return reply

    def change_password(
        self,
        current_password: str,
        new_password: str,
    ) -> None:
        """Change the password; all other sessions end. `invalid`; `rate_limited`.

        Args:
            current_password: The password that it was.
            new_password: The password that it shall be: at least 15 characters, 8 beside
                a second factor.
        """
        self._call(_ACCOUNT_CHANGE_PASSWORD, {
            "current_password": current_password,
            "new_password": new_password,
        })

    def sessions(self) -> tuple[SignInInfo, ...]:
        """One's sessions that have not ended, the oldest first."""
        reply: tuple[SignInInfo, ...] = self._call(_ACCOUNT_SESSIONS, {})
        return reply

    def end_session(
        self,
        id: UUID | str,
    ) -> None:
        """End one of one's sessions. `not_found`.

        Args:
            id: Which one.
        """
        self._call(_ACCOUNT_END_SESSION, {"id": id})

    def sign_out(
        self,
        *,
        refresh_token: str | None = None,
    ) -> None:
        """End this session, and the one of a refresh token of the same user."""
        self._call(_ACCOUNT_SIGN_OUT, {"refresh_token": refresh_token})

    def step_up(
        self,
        password: str,
        *,
        code: str | None = None,
    ) -> None:
        """Prove again who one is. `unauthenticated`; `invalid`; `rate_limited`.

        Args:
            password: The password.
            code: A code of the second factor, where there is one.
        """
        self._call(_ACCOUNT_STEP_UP, {"password": password, "code": code})

    def begin_totp(self) -> NewTotp:
        """Begin a second factor; it is in force when a code is confirmed. `step_up_required`;
        `conflict`."""
        reply: NewTotp = self._call(_ACCOUNT_BEGIN_TOTP, {})
        return reply

    def confirm_totp(
        self,
        code: str,
    ) -> RecoveryCodes:
        """Confirm the second factor by a code. The recovery codes are in this reply and in no
        other."""
        reply: RecoveryCodes = self._call(_ACCOUNT_CONFIRM_TOTP, {"code": code})
        return reply

    def new_recovery_codes(
        self,
        code: str,
    ) -> RecoveryCodes:
        """Take new recovery codes; the old ones are void."""
        reply: RecoveryCodes = self._call(_ACCOUNT_NEW_RECOVERY_CODES, {"code": code})
        return reply

    def remove_totp(
        self,
        password: str,
        code: str,
    ) -> None:
        """Go without a second factor. `unauthenticated`; `invalid`; `conflict`; `rate_limited`.

        Args:
            password: The password, which is the only factor then: at least 15 characters.
            code: A code of the generator, or a recovery code.
        """
        self._call(_ACCOUNT_REMOVE_TOTP, {"password": password, "code": code})


class AsyncAccount(AsyncNamespace):
    """The operations on account."""

    async def me(self) -> Me:
        """Who one is, with all that one may do."""
        reply: Me = await self._start(_ACCOUNT_ME, {})
        return reply

    async def change_password(
        self,
        current_password: str,
        new_password: str,
    ) -> None:
        """Change the password; all other sessions end. `invalid`; `rate_limited`.

        Args:
            current_password: The password that it was.
            new_password: The password that it shall be: at least 15 characters, 8 beside
                a second factor.
        """
        await self._start(_ACCOUNT_CHANGE_PASSWORD, {
            "current_password": current_password,
            "new_password": new_password,
        })

    async def sessions(self) -> tuple[SignInInfo, ...]:
        """One's sessions that have not ended, the oldest first."""
        reply: tuple[SignInInfo, ...] = await self._start(_ACCOUNT_SESSIONS, {})
        return reply

    async def end_session(
        self,
        id: UUID | str,
    ) -> None:
        """End one of one's sessions. `not_found`.

        Args:
            id: Which one.
        """
        await self._start(_ACCOUNT_END_SESSION, {"id": id})

    async def sign_out(
        self,
        *,
        refresh_token: str | None = None,
    ) -> None:
        """End this session, and the one of a refresh token of the same user."""
        await self._start(_ACCOUNT_SIGN_OUT, {"refresh_token": refresh_token})

    async def step_up(
        self,
        password: str,
        *,
        code: str | None = None,
    ) -> None:
        """Prove again who one is. `unauthenticated`; `invalid`; `rate_limited`.

        Args:
            password: The password.
            code: A code of the second factor, where there is one.
        """
        await self._start(_ACCOUNT_STEP_UP, {"password": password, "code": code})

    async def begin_totp(self) -> NewTotp:
        """Begin a second factor; it is in force when a code is confirmed. `step_up_required`;
        `conflict`."""
        reply: NewTotp = await self._start(_ACCOUNT_BEGIN_TOTP, {})
        return reply

    async def confirm_totp(
        self,
        code: str,
    ) -> RecoveryCodes:
        """Confirm the second factor by a code. The recovery codes are in this reply and in no
        other."""
        reply: RecoveryCodes = await self._start(_ACCOUNT_CONFIRM_TOTP, {"code": code})
        return reply

    async def new_recovery_codes(
        self,
        code: str,
    ) -> RecoveryCodes:
        """Take new recovery codes; the old ones are void."""
        reply: RecoveryCodes = await self._start(_ACCOUNT_NEW_RECOVERY_CODES, {"code": code})
        return reply

    async def remove_totp(
        self,
        password: str,
        code: str,
    ) -> None:
        """Go without a second factor. `unauthenticated`; `invalid`; `conflict`; `rate_limited`.

        Args:
            password: The password, which is the only factor then: at least 15 characters.
            code: A code of the generator, or a recovery code.
        """
        await self._start(_ACCOUNT_REMOVE_TOTP, {"password": password, "code": code})


class ApiKeys(Namespace):
    """The operations on api keys."""

    def create(
        self,
        name: str,
        role: Role,
        scopes: Sequence[Literal[
    "contacts:read",
    "contacts:create",
    "contacts:update",
    "contacts:delete",
    "contacts:restore",
    "contacts:import",
    "contacts:export",
    "companies:read",
    "companies:write",
    "activities:read",
    "activities:log",
    "calls:read",
    "calls:place",
    "calls:update",
    "recordings:read",
    "recordings:delete",
    "consents:read",
    "consents:record",
    "telephony:read",
    "jobs:read",
    "jobs:manage",
    "users:read",
    "tenant:read",
    "events:follow",
    "events:read",
    "audit:read",
]],
        *,
        expires_at: datetime | str | None = None,
    ) -> CreatedApiKey:
        """Make an API key. `secret` is in this reply and in no other. `forbidden`;
        `step_up_required`; `invalid`.

        Args:
            name: What people call it, at most 255 characters.
            role: What it may do at most; not more than who makes it.
            scopes: The actions that it may do, e.g. `contacts:read`.
            expires_at: Until when it can be used; for ever where it is absent.
        """
        reply: CreatedApiKey = self._call(_API_KEYS_CREATE, {
            "name": name,
            "role": role,
            "scopes": scopes,
            "expires_at": expires_at,
        })
        return reply

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ApiKeyInfoPage:
        """A page of API keys, also those that are revoked or over.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: ApiKeyInfoPage = self._call(_API_KEYS_LIST, {"limit": limit, "cursor": cursor})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
    ) -> Iterator[ApiKeyInfo]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
        """
        return all_pages(self._call, _API_KEYS_LIST, {"limit": limit})

    def revoke(
        self,
        id: UUID | str,
    ) -> None:
        """Revoke an API key. `not_found`.

        Args:
            id: Which one.
        """
        self._call(_API_KEYS_REVOKE, {"id": id})


class AsyncApiKeys(AsyncNamespace):
    """The operations on api keys."""

    async def create(
        self,
        name: str,
        role: Role,
        scopes: Sequence[Literal[
    "contacts:read",
    "contacts:create",
    "contacts:update",
    "contacts:delete",
    "contacts:restore",
    "contacts:import",
    "contacts:export",
    "companies:read",
    "companies:write",
    "activities:read",
    "activities:log",
    "calls:read",
    "calls:place",
    "calls:update",
    "recordings:read",
    "recordings:delete",
    "consents:read",
    "consents:record",
    "telephony:read",
    "jobs:read",
    "jobs:manage",
    "users:read",
    "tenant:read",
    "events:follow",
    "events:read",
    "audit:read",
]],
        *,
        expires_at: datetime | str | None = None,
    ) -> CreatedApiKey:
        """Make an API key. `secret` is in this reply and in no other. `forbidden`;
        `step_up_required`; `invalid`.

        Args:
            name: What people call it, at most 255 characters.
            role: What it may do at most; not more than who makes it.
            scopes: The actions that it may do, e.g. `contacts:read`.
            expires_at: Until when it can be used; for ever where it is absent.
        """
        reply: CreatedApiKey = await self._start(_API_KEYS_CREATE, {
            "name": name,
            "role": role,
            "scopes": scopes,
            "expires_at": expires_at,
        })
        return reply

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ApiKeyInfoPage:
        """A page of API keys, also those that are revoked or over.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
        """
        reply: ApiKeyInfoPage = await self._start(_API_KEYS_LIST, {"limit": limit, "cursor": cursor})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
    ) -> AsyncIterator[ApiKeyInfo]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
        """
        return all_pages_async(self._start, _API_KEYS_LIST, {"limit": limit})

    async def revoke(
        self,
        id: UUID | str,
    ) -> None:
        """Revoke an API key. `not_found`.

        Args:
            id: Which one.
        """
        await self._start(_API_KEYS_REVOKE, {"id": id})


class TenantNamespace(Namespace):
    """The operations on tenant."""

    def get(self) -> Tenant:
        """The tenant."""
        reply: Tenant = self._call(_TENANT_GET, {})
        return reply

    def update(
        self,
        *,
        version: int | None = None,
        name: str | Unset = UNSET,
        default_region: str | Unset = UNSET,
        join_domains: Sequence[str] | None | Unset = UNSET,
        join_role: Role | None | Unset = UNSET,
        dispositions: Sequence[str] | None | Unset = UNSET,
        recording_days: int | None | Unset = UNSET,
    ) -> Tenant:
        """Change the tenant's settings. `forbidden`; `version_conflict`; `invalid`.

        Args:
            version: The version that it has to be at, where that matters.
            name: Its name for people, at most 255 characters. Cannot be cleared.
            default_region: The region of phone numbers without a country code. Cannot be
                cleared.
            join_domains: The domains of e-mail addresses whose holders may join by an
                account with a provider of identities, at most 100.
            join_role: What those who join so are, any role but `owner`; `viewer` where it
                is cleared.
            dispositions: What can come of a call, at most 50 of at most 64 characters;
                the common ones where it is cleared.
            recording_days: How many days recordings are kept, 1 to 36,500; cleared, they
                are kept for ever. It holds for recordings that are made from then on.
        """
        reply: Tenant = self._call(_TENANT_UPDATE, {
            "version": version,
            "name": name,
            "default_region": default_region,
            "join_domains": join_domains,
            "join_role": join_role,
            "dispositions": dispositions,
            "recording_days": recording_days,
        })
        return reply


class AsyncTenantNamespace(AsyncNamespace):
    """The operations on tenant."""

    async def get(self) -> Tenant:
        """The tenant."""
        reply: Tenant = await self._start(_TENANT_GET, {})
        return reply

    async def update(
        self,
        *,
        version: int | None = None,
        name: str | Unset = UNSET,
        default_region: str | Unset = UNSET,
        join_domains: Sequence[str] | None | Unset = UNSET,
        join_role: Role | None | Unset = UNSET,
        dispositions: Sequence[str] | None | Unset = UNSET,
        recording_days: int | None | Unset = UNSET,
    ) -> Tenant:
        """Change the tenant's settings. `forbidden`; `version_conflict`; `invalid`.

        Args:
            version: The version that it has to be at, where that matters.
            name: Its name for people, at most 255 characters. Cannot be cleared.
            default_region: The region of phone numbers without a country code. Cannot be
                cleared.
            join_domains: The domains of e-mail addresses whose holders may join by an
                account with a provider of identities, at most 100.
            join_role: What those who join so are, any role but `owner`; `viewer` where it
                is cleared.
            dispositions: What can come of a call, at most 50 of at most 64 characters;
                the common ones where it is cleared.
            recording_days: How many days recordings are kept, 1 to 36,500; cleared, they
                are kept for ever. It holds for recordings that are made from then on.
        """
        reply: Tenant = await self._start(_TENANT_UPDATE, {
            "version": version,
            "name": name,
            "default_region": default_region,
            "join_domains": join_domains,
            "join_role": join_role,
            "dispositions": dispositions,
            "recording_days": recording_days,
        })
        return reply


class Jobs(Namespace):
    """The operations on jobs."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: JobState | None = None,
        kind: str | None = None,
    ) -> JobPage:
        """A page of the tenant's jobs, the newest first. A job that is done is gone; `dead` are
        those that were given up.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            state: In this state.
            kind: Of this kind.
        """
        reply: JobPage = self._call(_JOBS_LIST, {
            "limit": limit,
            "cursor": cursor,
            "state": state,
            "kind": kind,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        state: JobState | None = None,
        kind: str | None = None,
    ) -> Iterator[Job]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            state: In this state.
            kind: Of this kind.
        """
        return all_pages(self._call, _JOBS_LIST, {"limit": limit, "state": state, "kind": kind})

    def get(
        self,
        id: UUID | str,
    ) -> Job:
        """A job. `not_found` where there is none, or it is done.

        Args:
            id: Which one.
        """
        reply: Job = self._call(_JOBS_GET, {"id": id})
        return reply

    def retry(
        self,
        id: UUID | str,
    ) -> Job:
        """Try a job that was given up again. `not_found`; `conflict`.

        Args:
            id: Which one.
        """
        reply: Job = self._call(_JOBS_RETRY, {"id": id})
        return reply

    def discard(
        self,
        id: UUID | str,
    ) -> None:
        """Throw a job away. `not_found`; `conflict` while it runs.

        Args:
            id: Which one.
        """
        self._call(_JOBS_DISCARD, {"id": id})


class AsyncJobs(AsyncNamespace):
    """The operations on jobs."""

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: JobState | None = None,
        kind: str | None = None,
    ) -> JobPage:
        """A page of the tenant's jobs, the newest first. A job that is done is gone; `dead` are
        those that were given up.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            state: In this state.
            kind: Of this kind.
        """
        reply: JobPage = await self._start(_JOBS_LIST, {
            "limit": limit,
            "cursor": cursor,
            "state": state,
            "kind": kind,
        })
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        state: JobState | None = None,
        kind: str | None = None,
    ) -> AsyncIterator[Job]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            state: In this state.
            kind: Of this kind.
        """
        return all_pages_async(self._start, _JOBS_LIST, {"limit": limit, "state": state, "kind": kind})

    async def get(
        self,
        id: UUID | str,
    ) -> Job:
        """A job. `not_found` where there is none, or it is done.

        Args:
            id: Which one.
        """
        reply: Job = await self._start(_JOBS_GET, {"id": id})
        return reply

    async def retry(
        self,
        id: UUID | str,
    ) -> Job:
        """Try a job that was given up again. `not_found`; `conflict`.

        Args:
            id: Which one.
        """
        reply: Job = await self._start(_JOBS_RETRY, {"id": id})
        return reply

    async def discard(
        self,
        id: UUID | str,
    ) -> None:
        """Throw a job away. `not_found`; `conflict` while it runs.

        Args:
            id: Which one.
        """
        await self._start(_JOBS_DISCARD, {"id": id})


class Audit(Namespace):
    """The operations on audit."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        resource: str | None = None,
    ) -> AuditEntryPage:
        """A page of who did what to which record, the newest first.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            resource: About this record alone, as
                `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`.
        """
        reply: AuditEntryPage = self._call(_AUDIT_LIST, {"limit": limit, "cursor": cursor, "resource": resource})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        resource: str | None = None,
    ) -> Iterator[AuditEntry]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            resource: About this record alone, as
                `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`.
        """
        return all_pages(self._call, _AUDIT_LIST, {"limit": limit, "resource": resource})


class AsyncAudit(AsyncNamespace):
    """The operations on audit."""

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        resource: str | None = None,
    ) -> AuditEntryPage:
        """A page of who did what to which record, the newest first.

        Args:
            limit: How many items the page has at most.
            cursor: `next_cursor` of the page before.
            resource: About this record alone, as
                `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`.
        """
        reply: AuditEntryPage = await self._start(_AUDIT_LIST, {"limit": limit, "cursor": cursor, "resource": resource})
        return reply

    def iterate(
        self,
        *,
        limit: int | None = None,
        resource: str | None = None,
    ) -> AsyncIterator[AuditEntry]:
        """The items of all pages of `list`, with one call for each page.

        Args:
            limit: How many items the page has at most.
            resource: About this record alone, as
                `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`.
        """
        return all_pages_async(self._start, _AUDIT_LIST, {"limit": limit, "resource": resource})


class Tenants(Namespace):
    """The operations on tenants."""

    def create(
        self,
        name: str,
        default_region: str,
        owner_email: str,
        *,
        slug: str | None = None,
        owner_name: str | None = None,
    ) -> CreatedTenant:
        """Make a tenant and its owner, together or not at all. `already_exists` where the slug
        is taken; `invalid`.

        Args:
            name: Its name for people, at most 255 characters.
            default_region: The region of phone numbers without a country code.
            owner_email: The owner's e-mail address.
            slug: Its name in commands; made from `name` where it is absent.
            owner_name: The owner's name; the address where it is absent.
        """
        reply: CreatedTenant = self._call(_TENANTS_CREATE, {
            "name": name,
            "default_region": default_region,
            "owner_email": owner_email,
            "slug": slug,
            "owner_name": owner_name,
        })
        return reply

    def get(
        self,
        slug: str,
    ) -> Tenant:
        """The tenant of this slug. `not_found`."""
        reply: Tenant = self._call(_TENANTS_GET, {"slug": slug})
        return reply

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[Tenant, ...]:
        """Tenants in the order of their slugs, those after `after`; at most 200 at once.

        Args:
            after: Those whose slug comes after this one.
            limit: At most so many, 1 to 200; 50 where nothing is said.
        """
        reply: tuple[Tenant, ...] = self._call(_TENANTS_LIST, {"after": after, "limit": limit})
        return reply

    def set_password(
        self,
        tenant: UUID | str,
        user: UUID | str,
        password: str,
    ) -> None:
        """Give a user another password; all their sessions end. `not_found`; `invalid`."""
        self._call(_TENANTS_SET_PASSWORD, {"tenant": tenant, "user": user, "password": password})


class AsyncTenants(AsyncNamespace):
    """The operations on tenants."""

    async def create(
        self,
        name: str,
        default_region: str,
        owner_email: str,
        *,
        slug: str | None = None,
        owner_name: str | None = None,
    ) -> CreatedTenant:
        """Make a tenant and its owner, together or not at all. `already_exists` where the slug
        is taken; `invalid`.

        Args:
            name: Its name for people, at most 255 characters.
            default_region: The region of phone numbers without a country code.
            owner_email: The owner's e-mail address.
            slug: Its name in commands; made from `name` where it is absent.
            owner_name: The owner's name; the address where it is absent.
        """
        reply: CreatedTenant = await self._start(_TENANTS_CREATE, {
            "name": name,
            "default_region": default_region,
            "owner_email": owner_email,
            "slug": slug,
            "owner_name": owner_name,
        })
        return reply

    async def get(
        self,
        slug: str,
    ) -> Tenant:
        """The tenant of this slug. `not_found`."""
        reply: Tenant = await self._start(_TENANTS_GET, {"slug": slug})
        return reply

    async def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[Tenant, ...]:
        """Tenants in the order of their slugs, those after `after`; at most 200 at once.

        Args:
            after: Those whose slug comes after this one.
            limit: At most so many, 1 to 200; 50 where nothing is said.
        """
        reply: tuple[Tenant, ...] = await self._start(_TENANTS_LIST, {"after": after, "limit": limit})
        return reply

    async def set_password(
        self,
        tenant: UUID | str,
        user: UUID | str,
        password: str,
    ) -> None:
        """Give a user another password; all their sessions end. `not_found`; `invalid`."""
        await self._start(_TENANTS_SET_PASSWORD, {"tenant": tenant, "user": user, "password": password})


class Identity(Namespace):
    """The operations on identity."""

    def register(
        self,
        company_name: str,
        full_name: str,
        email: str,
        password: str,
        *,
        default_region: str | None = None,
        invitation: str | None = None,
    ) -> Registered:
        """Make a tenant and its owner, who comes in at once. `invalid`; `rate_limited`;
        `forbidden` where registration is closed.

        Args:
            company_name: The tenant's name, at most 255 characters.
            full_name: The owner's name, at most 255 characters.
            email: The owner's e-mail address.
            password: The owner's password: at least 15 characters.
            default_region: The region of phone numbers without a country code, two
                letters of ISO 3166; `US` where it is absent.
            invitation: The operator's invitation, where one is needed to register.
        """
        reply: Registered = self._call(_IDENTITY_REGISTER, {
            "company_name": company_name,
            "full_name": full_name,
            "email": email,
            "password": password,
            "default_region": default_region,
            "invitation": invitation,
        })
        return reply

    def sign_in(
        self,
        email: str,
        password: str,
        *,
        tenant: str | None = None,
        code: str | None = None,
    ) -> SignedIn:
        """Come in by password. `unauthenticated`; `second_factor_required`; `rate_limited`.

        Args:
            email: Their e-mail address.
            password: Their password.
            tenant: The tenant's id or slug, where the address and the password belong to
                several.
            code: A code of the second factor, where there is one: six digits of its
                generator, or a recovery code.
        """
        reply: SignedIn = self._call(_IDENTITY_SIGN_IN, {
            "email": email,
            "password": password,
            "tenant": tenant,
            "code": code,
        })
        return reply

    def refresh(
        self,
        refresh_token: str,
    ) -> Tokens:
        """New tokens for a refresh token, which is void then. `unauthenticated`; `token_reused`."""
        reply: Tokens = self._call(_IDENTITY_REFRESH, {"refresh_token": refresh_token})
        return reply

    def accept_invitation(
        self,
        invitation: str,
        password: str,
        *,
        full_name: str | None = None,
    ) -> SignedIn:
        """Come in by an invitation. `unauthenticated`; `invalid`.

        Args:
            invitation: The invitation.
            password: The password that they choose: at least 15 characters.
            full_name: Their name, at most 255 characters; as it was given for them where
                it is absent.
        """
        reply: SignedIn = self._call(_IDENTITY_ACCEPT_INVITATION, {
            "invitation": invitation,
            "password": password,
            "full_name": full_name,
        })
        return reply

    def key_set(self) -> Any:
        """The public keys of access tokens (RFC 7517), for services that verify them."""
        reply: Any = self._call(_IDENTITY_KEY_SET, {})
        return reply


class AsyncIdentity(AsyncNamespace):
    """The operations on identity."""

    async def register(
        self,
        company_name: str,
        full_name: str,
        email: str,
        password: str,
        *,
        default_region: str | None = None,
        invitation: str | None = None,
    ) -> Registered:
        """Make a tenant and its owner, who comes in at once. `invalid`; `rate_limited`;
        `forbidden` where registration is closed.

        Args:
            company_name: The tenant's name, at most 255 characters.
            full_name: The owner's name, at most 255 characters.
            email: The owner's e-mail address.
            password: The owner's password: at least 15 characters.
            default_region: The region of phone numbers without a country code, two
                letters of ISO 3166; `US` where it is absent.
            invitation: The operator's invitation, where one is needed to register.
        """
        reply: Registered = await self._start(_IDENTITY_REGISTER, {
            "company_name": company_name,
            "full_name": full_name,
            "email": email,
            "password": password,
            "default_region": default_region,
            "invitation": invitation,
        })
        return reply

    async def sign_in(
        self,
        email: str,
        password: str,
        *,
        tenant: str | None = None,
        code: str | None = None,
    ) -> SignedIn:
        """Come in by password. `unauthenticated`; `second_factor_required`; `rate_limited`.

        Args:
            email: Their e-mail address.
            password: Their password.
            tenant: The tenant's id or slug, where the address and the password belong to
                several.
            code: A code of the second factor, where there is one: six digits of its
                generator, or a recovery code.
        """
        reply: SignedIn = await self._start(_IDENTITY_SIGN_IN, {
            "email": email,
            "password": password,
            "tenant": tenant,
            "code": code,
        })
        return reply

    async def refresh(
        self,
        refresh_token: str,
    ) -> Tokens:
        """New tokens for a refresh token, which is void then. `unauthenticated`; `token_reused`."""
        reply: Tokens = await self._start(_IDENTITY_REFRESH, {"refresh_token": refresh_token})
        return reply

    async def accept_invitation(
        self,
        invitation: str,
        password: str,
        *,
        full_name: str | None = None,
    ) -> SignedIn:
        """Come in by an invitation. `unauthenticated`; `invalid`.

        Args:
            invitation: The invitation.
            password: The password that they choose: at least 15 characters.
            full_name: Their name, at most 255 characters; as it was given for them where
                it is absent.
        """
        reply: SignedIn = await self._start(_IDENTITY_ACCEPT_INVITATION, {
            "invitation": invitation,
            "password": password,
            "full_name": full_name,
        })
        return reply

    async def key_set(self) -> Any:
        """The public keys of access tokens (RFC 7517), for services that verify them."""
        reply: Any = await self._start(_IDENTITY_KEY_SET, {})
        return reply


class SessionNamespaces:
    """The namespaces of Session."""

    contacts: Contacts
    """The operations on contacts."""

    companies: Companies
    """The operations on companies."""

    activities: Activities
    """The operations on activities."""

    calls: Calls
    """The operations on calls."""

    telephony: Telephony
    """The operations on telephony."""

    notifications: Notifications
    """The operations on notifications."""

    users: Users
    """The operations on users."""

    account: Account
    """The operations on account."""

    api_keys: ApiKeys
    """The operations on api keys."""

    tenant: TenantNamespace
    """The operations on tenant."""

    jobs: Jobs
    """The operations on jobs."""

    audit: Audit
    """The operations on audit."""

    def _put_namespaces(self, native: Any) -> None:
        self.contacts = Contacts(native)
        self.companies = Companies(native)
        self.activities = Activities(native)
        self.calls = Calls(native)
        self.telephony = Telephony(native)
        self.notifications = Notifications(native)
        self.users = Users(native)
        self.account = Account(native)
        self.api_keys = ApiKeys(native)
        self.tenant = TenantNamespace(native)
        self.jobs = Jobs(native)
        self.audit = Audit(native)


class AsyncSessionNamespaces:
    """The namespaces of AsyncSession."""

    contacts: AsyncContacts
    """The operations on contacts."""

    companies: AsyncCompanies
    """The operations on companies."""

    activities: AsyncActivities
    """The operations on activities."""

    calls: AsyncCalls
    """The operations on calls."""

    telephony: AsyncTelephony
    """The operations on telephony."""

    notifications: AsyncNotifications
    """The operations on notifications."""

    users: AsyncUsers
    """The operations on users."""

    account: AsyncAccount
    """The operations on account."""

    api_keys: AsyncApiKeys
    """The operations on api keys."""

    tenant: AsyncTenantNamespace
    """The operations on tenant."""

    jobs: AsyncJobs
    """The operations on jobs."""

    audit: AsyncAudit
    """The operations on audit."""

    def _put_namespaces(self, native: Any) -> None:
        self.contacts = AsyncContacts(native)
        self.companies = AsyncCompanies(native)
        self.activities = AsyncActivities(native)
        self.calls = AsyncCalls(native)
        self.telephony = AsyncTelephony(native)
        self.notifications = AsyncNotifications(native)
        self.users = AsyncUsers(native)
        self.account = AsyncAccount(native)
        self.api_keys = AsyncApiKeys(native)
        self.tenant = AsyncTenantNamespace(native)
        self.jobs = AsyncJobs(native)
        self.audit = AsyncAudit(native)


class CrmNamespaces:
    """The namespaces of Crm."""

    tenants: Tenants
    """The operations on tenants."""

    identity: Identity
    """The operations on identity."""

    def _put_namespaces(self, native: Any) -> None:
        self.tenants = Tenants(native)
        self.identity = Identity(native)


class AsyncCrmNamespaces:
    """The namespaces of AsyncCrm."""

    tenants: AsyncTenants
    """The operations on tenants."""

    identity: AsyncIdentity
    """The operations on identity."""

    def _put_namespaces(self, native: Any) -> None:
        self.tenants = AsyncTenants(native)
        self.identity = AsyncIdentity(native)
