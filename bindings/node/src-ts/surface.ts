// Made by `cargo xtask` from the operations of the core. Do not edit: change them there.

import { Namespace, operation, type Blocking, type Caller, type Options, type Shape } from "./calling.js";

/** JSON of any shape. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One page of a list. */
export interface Page<T> {
    /** The items, in the order of the list. */
    readonly items: readonly T[];
    /** Leads to the next page; `null` on the last. */
    readonly nextCursor: string | null;
}

// What is read of JSON before it has a type.
type Raw = any;

const date = (text: string): Date => new Date(text);

/** What went wrong, in a word. */
export type ErrorCode =
    | "invalid"
    | "malformed"
    | "unknown_parameter"
    | "invalid_cursor"
    | "unauthenticated"
    | "token_reused"
    | "second_factor_required"
    | "step_up_required"
    | "forbidden"
    | "not_found"
    | "already_exists"
    | "conflict"
    | "version_conflict"
    | "idempotency_key_reused"
    | "idempotency_in_progress"
    | "rate_limited"
    | "payload_too_large"
    | "unsupported_media_type"
    | "unavailable"
    | "internal";

/** What happens. */
export type EventName =
    | "tenant.created.v1"
    | "tenant.updated.v1"
    | "user.created.v1"
    | "user.updated.v1"
    | "user.secured.v1"
    | "user.authenticated.v1"
    | "user.authentication_failed.v1"
    | "session.started.v1"
    | "session.refreshed.v1"
    | "session.proved.v1"
    | "session.ended.v1"
    | "api_key.created.v1"
    | "api_key.used.v1"
    | "api_key.revoked.v1"
    | "company.created.v1"
    | "company.updated.v1"
    | "contact.created.v1"
    | "contact.updated.v1"
    | "contact.deleted.v1"
    | "contact.restored.v1"
    | "activity.logged.v1"
    | "consent.recorded.v1"
    | "telephony_account.created.v1"
    | "telephony_account.updated.v1"
    | "call.started.v1"
    | "call.logged.v1"
    | "call.updated.v1"
    | "call.ended.v1"
    | "call.recorded.v1"
    | "recording.heard.v1"
    | "recording.deleted.v1"
    | "job.retried.v1"
    | "job.discarded.v1"
    | "schedule.set.v1"
    | "contacts.imported.v1"
    | "notification.created.v1"
    | "notification.updated.v1"
    | "notification_preferences.updated.v1";

/**
 * A person (or a mailbox, or a switchboard) that the tenant deals with. Only the core makes one, so one that
 * exists is valid: it has a name, an e-mail or a phone, and every value keeps its rule. Changing a copy in
 * memory changes nothing in the store.
 */
export interface Contact {
    /** Identifies the contact within its tenant. */
    readonly id: string;
    /** Given name. */
    readonly firstName: string | null;
    /** Family name. */
    readonly lastName: string | null;
    /** The name to show: as given, else first and last name, else company, e-mail or phone. */
    readonly displayName: string;
    /** The employer's name. */
    readonly company: string | null;
    /** The employer's own record. */
    readonly companyId: string | null;
    /** Job title. */
    readonly title: string | null;
    /** E-mail addresses, the primary one first. */
    readonly emails: readonly ContactEmail[];
    /** Phone numbers, the primary one first. */
    readonly phones: readonly ContactPhone[];
    /** Postal addresses, the primary one first. */
    readonly addresses: readonly PostalAddress[];
    /** Tags in alphabetical order, each once. */
    readonly tags: readonly string[];
    /** Fields of the tenant's own. */
    readonly custom: { readonly [key: string]: CustomValue };
    /** The user who looks after the contact. */
    readonly ownerId: string | null;
    /** Where the contact came from, e.g. `import`. */
    readonly source: string | null;
    /** When the contact was made. */
    readonly createdAt: Date;
    /** When the contact was last changed. */
    readonly updatedAt: Date;
    /** When the contact was deleted, if it is. */
    readonly deletedAt: Date | null;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** An e-mail address of a contact. */
export interface ContactEmail {
    /** The address, as typed. */
    readonly address: string;
    /** What it is for, e.g. `work`. */
    readonly label: string | null;
}

/** A phone number of a contact. */
export interface ContactPhone {
    /** The number in E.164; `null` flags text that is no number, which is kept in `raw`. */
    readonly number: string | null;
    /** What was typed. */
    readonly raw: string;
    /** What it is for, e.g. `mobile`. */
    readonly label: string | null;
}

/** A postal address. */
export interface PostalAddress {
    /** Street and house number; further lines after a line break. */
    readonly street: string | null;
    /** Town. */
    readonly city: string | null;
    /** State, province or county. */
    readonly region: string | null;
    /** Postal code. */
    readonly postalCode: string | null;
    /** Country, as written. */
    readonly country: string | null;
    /** What it is for, e.g. `home`. */
    readonly label: string | null;
}

/** The value of a field of the tenant's own. */
export type CustomValue = boolean | number | string;

/** What `contacts.createOrUpdate` did. */
export interface Upserted {
    /** Whether the contact is new. */
    readonly created: boolean;
    /** The contact as it is now. */
    readonly contact: Contact;
}

/** A page of contacts. */
export interface ContactPage {
    /** The items, in the order of the list. */
    readonly items: readonly Contact[];
    /** Leads to the next page; `null` on the last. */
    readonly nextCursor: string | null;
    /** How many contacts there are on all pages, where that was asked. */
    readonly total?: number | null;
}

/** A contact that a search found. */
export interface SearchHit {
    /** The contact. */
    readonly contact: Contact;
    /** How well it fits, 0..=1; 1 is the whole name as typed. */
    readonly score: number;
}

/** One entry of a timeline. `data` has the shape of its `kind`. */
export type Activity = ActivityFields & (
    | {
        readonly kind: "note";
        /** Something that somebody wrote down. */
        readonly data: { readonly [key: string]: never };
    }
    | {
        readonly kind: "email";
        /** An e-mail. */
        readonly data: {
            /** Whether it was sent or received. */
            readonly direction: "inbound" | "outbound" | null;
            /** Who it came from. */
            readonly from: string | null;
            /** Who it went to. */
            readonly to: readonly string[];
        };
    }
    | {
        readonly kind: "sms";
        /** A text message. */
        readonly data: {
            /** Whether it was sent or received. */
            readonly direction: "inbound" | "outbound" | null;
            /** The other side's number. */
            readonly number: string | null;
        };
    }
    | {
        readonly kind: "meeting";
        /** A meeting. */
        readonly data: {
            /** When it ended or will end. */
            readonly endsAt: Date | null;
            /** Where. */
            readonly location: string | null;
            /** Who took part. */
            readonly attendees: readonly string[];
        };
    }
    | {
        readonly kind: "call";
        /** A telephone call. */
        readonly data: {
            /** Who called whom. */
            readonly direction: "inbound" | "outbound" | null;
            /** The other side's number. */
            readonly number: string | null;
            /** How long it took. */
            readonly durationSeconds: number | null;
            /** What came of it. */
            readonly disposition: string | null;
            /** How far it is; the CRM alone writes it. */
            readonly status: 
                | "queued"
                | "initiated"
                | "ringing"
                | "in_progress"
                | "failed"
                | "canceled"
                | "no_answer"
                | "busy"
                | "completed"
                | null;
            /** The call's own record; the CRM alone writes it. */
            readonly callId: string | null;
        };
    }
    | {
        readonly kind: "task";
        /** Something to be done. */
        readonly data: {
            /** Until when. */
            readonly dueAt: Date | null;
            /** Whether it is done. */
            readonly done: boolean;
        };
    }
    | {
        readonly kind: "contact_created";
        /** The contact was made. */
        readonly data: {
            /** Where it came from. */
            readonly source: string | null;
        };
    }
    | {
        readonly kind: "contact_updated";
        /** The contact was changed. */
        readonly data: {
            /** What changed. */
            readonly changes: readonly {
                /** The field's name. */
                readonly field: string;
                /** What it held; `null` for nothing. */
                readonly old: Json;
                /** What it holds; `null` for nothing. */
                readonly new: Json;
            }[];
        };
    }
    | {
        readonly kind: "contact_deleted";
        /** The contact was deleted. */
        readonly data: { readonly [key: string]: never };
    }
    | {
        readonly kind: "contact_restored";
        /** The contact was brought back. */
        readonly data: { readonly [key: string]: never };
    }
);

/** What all of `Activity` have. */
export interface ActivityFields {
    readonly id: string;
    readonly contactId: string;
    readonly occurredAt: Date;
    readonly userId: string | null;
    readonly subject: string | null;
    readonly body: string | null;
    readonly createdAt: Date;
}

/** The kinds of activity. */
export type ActivityKind = 
    | "note"
    | "email"
    | "sms"
    | "meeting"
    | "call"
    | "task"
    | "contact_created"
    | "contact_updated"
    | "contact_deleted"
    | "contact_restored";

/** What a contact said, once. Nothing is changed afterwards: the latest of a purpose holds. */
export interface Consent {
    /** Identifies the consent within its tenant. */
    readonly id: string;
    /** Who said it. */
    readonly contactId: string;
    /** To what. */
    readonly purpose: Purpose;
    /** Whether they agreed. */
    readonly granted: boolean;
    /** How it is known, e.g. `asked on the phone`. */
    readonly source: string | null;
    /** Who wrote it down. */
    readonly userId: string | null;
    /** When. */
    readonly at: Date;
}

/** What is consented to. */
export type Purpose = "calls" | "recording";

/** An organisation that contacts work for. */
export interface Company {
    /** Identifies the company within its tenant. */
    readonly id: string;
    /** Its name, unique in the tenant whatever the case, accents and punctuation. */
    readonly name: string;
    /** The domain of its e-mail addresses, unique in the tenant, e.g. `acme.example`. */
    readonly domain: string | null;
    /** When it was made. */
    readonly createdAt: Date;
    /** When it was last changed. */
    readonly updatedAt: Date;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** How many activities there were. */
export interface Stats {
    /** The groups in the order of their keys. */
    readonly groups: readonly StatsGroup[];
    /** All groups together. */
    readonly total: number;
}

/** One group of the statistics. */
export interface StatsGroup {
    /** What the group's activities have in common. */
    readonly key: string;
    /** How many there are. */
    readonly count: number;
}

/** A call as front doors show it. */
export interface Call {
    /** Identifies the call within its tenant. */
    readonly id: string;
    /** Who is called or calls, where it is known. */
    readonly contactId: string | null;
    /** The user who called, or logged the call. */
    readonly userId: string | null;
    /** Who called whom. */
    readonly direction: "inbound" | "outbound";
    /** The calling number; `null` where it is withheld. */
    readonly from: string | null;
    /** The called number. */
    readonly to: string | null;
    /** How far it is for the carrier. */
    readonly status: 
        | "queued"
        | "initiated"
        | "ringing"
        | "in_progress"
        | "failed"
        | "canceled"
        | "no_answer"
        | "busy"
        | "completed";
    /** Whether the carrier has it. */
    readonly placement: Placement;
    /** What came of it for the business. */
    readonly disposition: string | null;
    /** Who carries it; `null` for a call that was logged by hand. */
    readonly provider: string | null;
    /** The provider's name of the call. */
    readonly providerCallId: string | null;
    /** When it was asked for, came in or took place. */
    readonly startedAt: Date;
    /** When it was answered. */
    readonly answeredAt: Date | null;
    /** When it was over. */
    readonly endedAt: Date | null;
    /** How long was talked. */
    readonly durationSeconds: number | null;
    /** Who or what answered. */
    readonly answeredBy: "unknown" | "fax" | "machine" | "human" | null;
    /** What it costs, where the carrier says so. */
    readonly price: Price | null;
    /** Why it failed. */
    readonly failure: CallFailure | null;
    /** Whether the contact had agreed to be recorded when the call was made. */
    readonly recordingConsent: ConsentSnapshot | null;
    /** Whether there is a recording that can be heard. */
    readonly hasRecording: boolean;
    /** When the recording is deleted. */
    readonly recordingExpiresAt: Date | null;
    /** What is to be known of the call. */
    readonly note: string | null;
    /** Its entry on the contact's timeline. */
    readonly activityId: string;
    /** When it was written down. */
    readonly createdAt: Date;
    /** When it changed last. */
    readonly updatedAt: Date;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** Whether the carrier has the call. */
export type Placement = "waiting" | "unknown" | "placed" | "none";

/**
 * What a call costs, as the carrier says: an amount in its own notation, e.g. `-0.0140`, and a currency (ISO
 * 4217).
 */
export interface Price {
    /** The amount. */
    readonly amount: string;
    /** The currency. */
    readonly currency: string;
}

/** Why a call failed. */
export interface CallFailure {
    /** A stable word of ours, or the carrier's number. */
    readonly code: string;
    /** For people. */
    readonly message: string;
}

/** Whether the contact had agreed to be recorded when the call was made. */
export interface ConsentSnapshot {
    /** The answer; `null` where the contact was never asked. */
    readonly granted: boolean | null;
    /** The record of the answer. */
    readonly consentId: string | null;
    /** When it was looked up. */
    readonly at: Date;
}

/** An account as front doors show it: without its secrets. */
export interface TelephonyAccount {
    /** Identifies the account within its tenant. */
    readonly id: string;
    /** Which carrier. */
    readonly provider: string;
    /** The carrier's name of the account. */
    readonly name: string;
    /** Its numbers. */
    readonly numbers: readonly string[];
    /** Who is connected with the other side, in and out. */
    readonly connectTo: string | null;
    /** What is said where nobody is connected. */
    readonly greeting: string | null;
    /** The carrier's own settings. */
    readonly options: { readonly [key: string]: string };
    /** Whether it is used. */
    readonly active: boolean;
    /** When it was made. */
    readonly createdAt: Date;
    /** When it changed last. */
    readonly updatedAt: Date;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** Something that one person is told. */
export interface Notification {
    /** Identifies it. */
    readonly id: string;
    /** Who is told. */
    readonly userId: string;
    /** What it is for. */
    readonly kind: NotificationKind;
    /** One line, 1 to 200 characters. */
    readonly title: string;
    /** More, up to 4,000 characters. */
    readonly body: string | null;
    /** What it is about: ids by name, e.g. `contactId`; `summary` is true where it stands for several. */
    readonly data: { readonly [key: string]: Json };
    /** How many it stands for; 1 but for summaries. */
    readonly count: number;
    /** When it was made. */
    readonly createdAt: Date;
    /** When a program of the person's has had it. */
    readonly deliveredAt: Date | null;
    /** When the person has read it. */
    readonly readAt: Date | null;
    /** Grows by one with each change. */
    readonly version: number;
}

/** What a notification is for. */
export type NotificationKind = 
    | "assigned"
    | "call_ended"
    | "call_missed"
    | "mention"
    | "import_done"
    | "broadcast";

/** How many notifications were marked. */
export interface Marked {
    /** Those that were not read before. */
    readonly read: number;
}

/** What one person wants to hear of, and when. */
export interface NotificationPreferences {
    /** The person. */
    readonly userId: string;
    /**
     * By kind and channel, whether it is wanted; what is not named is. `in_app` is the list of notifications
     * and the live connection, other channels are the host's.
     */
    readonly channels: { readonly [key: string]: { readonly [key: string]: boolean } };
    /** When channels outside of the program keep silent. */
    readonly quietHours: QuietHours | null;
    /** Grows by one with each change; 0 where nothing was ever chosen. */
    readonly version: number;
}

/** Hours of each day in which channels outside of the program wait. */
export interface QuietHours {
    /** Their beginning, `HH:MM`. */
    readonly from: string;
    /** Their end, `HH:MM`; before the beginning where it is on the next day. */
    readonly to: string;
    /** Where the person is: the name of a time zone, e.g. `Europe/Berlin`. */
    readonly zone: string;
}

/** How many people were told. */
export interface Told {
    /** Those who want to be told such things, by any way. */
    readonly recipients: number;
}

/** Somebody who is connected. */
export interface Present {
    /** Who. */
    readonly userId: string;
    /** Over how many connections. */
    readonly connections: number;
}

/** A user with the invitation that lets them in, which is not shown again. */
export interface CreatedUser {
    /** Identifies the user within its tenant. */
    readonly id: string;
    /** The address they sign in with, unique in the tenant. */
    readonly email: string;
    /** Their name. */
    readonly fullName: string;
    /** What they may do. */
    readonly role: Role;
    /** Whether they may do anything at all. */
    readonly status: UserStatus;
    /** Counts how often all sessions of the user were ended at once, as by a new password. */
    readonly sessionEpoch: number;
    /** When the user was made. */
    readonly createdAt: Date;
    /** When the user was last changed. */
    readonly updatedAt: Date;
    /** Counts the changes, from 1. */
    readonly version: number;
    /** What the user needs to set a password, within seven days. */
    readonly invitation: string;
}

/** What a user is in a tenant. Each role may do all that the next one may. */
export type Role = "owner" | "admin" | "agent" | "viewer";

/** Whether a user may work. */
export type UserStatus = "active" | "disabled" | "invited";

/** A person who works in one tenant. */
export interface User {
    /** Identifies the user within its tenant. */
    readonly id: string;
    /** The address they sign in with, unique in the tenant. */
    readonly email: string;
    /** Their name. */
    readonly fullName: string;
    /** What they may do. */
    readonly role: Role;
    /** Whether they may do anything at all. */
    readonly status: UserStatus;
    /** Counts how often all sessions of the user were ended at once, as by a new password. */
    readonly sessionEpoch: number;
    /** When the user was made. */
    readonly createdAt: Date;
    /** When the user was last changed. */
    readonly updatedAt: Date;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** Who is signed in, and what they may do. */
export interface Me {
    /** The user; `null` for an API key. */
    readonly user: User | null;
    /** The tenant. */
    readonly tenant: Tenant;
    /** What the caller is in it. */
    readonly role: Role;
    /** The actions that the caller may do. */
    readonly permissions: readonly string[];
    /** The session; `null` for an API key. */
    readonly session: SignInInfo | null;
    /** Whether a sign-in by password asks for a code of a second factor. */
    readonly secondFactor: boolean;
    /** How many recovery codes are left. */
    readonly recoveryCodesLeft: number;
}

/** An organisation that uses the CRM. Nothing of one tenant is ever seen by another. */
export interface Tenant {
    /** Identifies the tenant. */
    readonly id: string;
    /** Its name for people. */
    readonly name: string;
    /** Its name in commands and addresses, unique in the installation. */
    readonly slug: string;
    /** The region of phone numbers without a country code. */
    readonly defaultRegion: string;
    /** The domains of e-mail addresses whose holders may join by an account with a provider of identities. */
    readonly joinDomains: readonly string[];
    /** What those who join so are. */
    readonly joinRole: Role;
    /** What can come of a call, in the order in which people choose from it. */
    readonly dispositions: readonly string[];
    /** How many days recordings are kept; `null` for ever. */
    readonly recordingDays: number | null;
    /** When it was made. */
    readonly createdAt: Date;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** A sign-in as its owner sees it. */
export interface SignInInfo {
    /** Identifies it. */
    readonly id: string;
    /** How it began. */
    readonly method: SignInMethod;
    /** When. */
    readonly createdAt: Date;
    /** When it was last refreshed. */
    readonly refreshedAt: Date;
    /** When it ends unless it is refreshed before. */
    readonly expiresAt: Date;
    /** The program, as it names itself. */
    readonly userAgent: string | null;
    /** Where it came from. */
    readonly address: string | null;
    /** Whether it is the caller's. */
    readonly current: boolean;
}

/** How somebody signed in. */
export type SignInMethod = "password" | "oidc";

/** A generator of one-time codes that is to be set up. */
export interface NewTotp {
    /** The shared secret in base32, to be typed. */
    readonly secret: string;
    /** The same as an `otpauth:` URI, to be shown as a QR code. */
    readonly uri: string;
}

/** The codes that stand in for a lost generator, each once. They are not shown again. */
export interface RecoveryCodes {
    /** Ten codes of 128 random bits. */
    readonly recoveryCodes: readonly string[];
}

/** A new API key with its secret, which is not shown again. */
export interface CreatedApiKey {
    /** Identifies the key. */
    readonly id: string;
    /** What people call it. */
    readonly name: string;
    /** What it may do at most. */
    readonly role: Role;
    /** The actions that it may do, of those that its role allows. */
    readonly scopes: readonly string[];
    /** Who made it. */
    readonly createdBy: string | null;
    /** When. */
    readonly createdAt: Date;
    /** Until when it can be used. */
    readonly expiresAt: Date | null;
    /** When it was last used, to ten minutes. */
    readonly lastUsedAt: Date | null;
    /** When it was revoked. */
    readonly revokedAt: Date | null;
    /** Counts the changes, from 1. */
    readonly version: number;
    /** What the program sends as `Authorization: Bearer`. */
    readonly secret: string;
}

/** An API key as people see it: all but the secret. */
export interface ApiKeyInfo {
    /** Identifies the key. */
    readonly id: string;
    /** What people call it. */
    readonly name: string;
    /** What it may do at most. */
    readonly role: Role;
    /** The actions that it may do, of those that its role allows. */
    readonly scopes: readonly string[];
    /** Who made it. */
    readonly createdBy: string | null;
    /** When. */
    readonly createdAt: Date;
    /** Until when it can be used. */
    readonly expiresAt: Date | null;
    /** When it was last used, to ten minutes. */
    readonly lastUsedAt: Date | null;
    /** When it was revoked. */
    readonly revokedAt: Date | null;
    /** Counts the changes, from 1. */
    readonly version: number;
}

/** Work that is to be done after a commit, and was written in it. */
export interface Job {
    /** Identifies the job within its tenant. */
    readonly id: string;
    /** What it is for. */
    readonly kind: string;
    /** What it is about, in the shape of its kind. */
    readonly payload: Json;
    /** Where it is on its way. */
    readonly state: JobState;
    /** Among the jobs of one kind and tenant, those with a lesser number go first. */
    readonly priority: number;
    /** Not before. */
    readonly runAt: Date;
    /** How often it was tried. */
    readonly attempts: number;
    /** After how many tries it is given up. */
    readonly maxAttempts: number;
    /** While a job of this kind with this key waits, another one is not enqueued. */
    readonly uniqueKey: string | null;
    /** What it failed with last. */
    readonly failure: string | null;
    /** The request that it goes back to. */
    readonly requestId: string;
    /** When it was enqueued. */
    readonly createdAt: Date;
}

/** Where a job is on its way. One that is done is gone. */
export type JobState = "scheduled" | "ready" | "running" | "dead";

/**
 * One action on one record. It names the fields that changed, never their values: personal data must not
 * outlive its erasure here.
 */
export interface AuditEntry {
    /** Identifies the entry; ids grow with time. */
    readonly id: string;
    /** When. */
    readonly at: Date;
    /** Who. */
    readonly actor: string;
    /** What, e.g. `contact.updated`. */
    readonly action: string;
    /** The record. */
    readonly resource: EntityRef;
    /** The request that it belongs to. */
    readonly requestId: string;
    /** The fields that changed. */
    readonly fields: readonly string[];
}

/** One record, by kind and id. In text `contact:<id>`. */
export interface EntityRef {
    /** The kind of record. */
    readonly kind: EntityKind;
    /** Its id. */
    readonly id: string;
}

/** The kinds of record that entries can be about. */
export type EntityKind = 
    | "tenant"
    | "user"
    | "company"
    | "contact"
    | "activity"
    | "session"
    | "api_key"
    | "call"
    | "telephony_account"
    | "consent"
    | "job"
    | "schedule";

/** A tenant that was made, and its owner. */
export interface CreatedTenant {
    /** The tenant. */
    readonly tenant: Tenant;
    /** Its owner. */
    readonly owner: User;
}

/** A new tenant whose owner has come in. */
export interface Registered {
    /** The tenant. */
    readonly tenant: Tenant;
    /** Its owner. */
    readonly user: User;
    /** Opens everything that the user may do, for a few minutes. */
    readonly accessToken: string;
    /** Gives the next pair of tokens, once. */
    readonly refreshToken: string;
    /** How `accessToken` is sent: `Bearer`. */
    readonly tokenType: TokenType;
    /** Seconds until `accessToken` ends. */
    readonly expiresIn: number;
}

/** How a token is sent (RFC 6750). */
export type TokenType = "Bearer";

/** A user who has come in. */
export interface SignedIn {
    /** Opens everything that the user may do, for a few minutes. */
    readonly accessToken: string;
    /** Gives the next pair of tokens, once. */
    readonly refreshToken: string;
    /** How `accessToken` is sent: `Bearer`. */
    readonly tokenType: TokenType;
    /** Seconds until `accessToken` ends. */
    readonly expiresIn: number;
    /** Who came in. */
    readonly user: User;
}

/** What somebody who is signed in works with. */
export interface Tokens {
    /** Opens everything that the user may do, for a few minutes. */
    readonly accessToken: string;
    /** Gives the next pair of tokens, once. */
    readonly refreshToken: string;
    /** How `accessToken` is sent: `Bearer`. */
    readonly tokenType: TokenType;
    /** Seconds until `accessToken` ends. */
    readonly expiresIn: number;
}

/** Something that happened, and its place in the log. */
export interface FollowedEvent {
    /** The place, 16 hexadecimal digits: to follow on after it. */
    readonly position: string;
    /** Identifies the event; a reader that sees an id twice has seen the same event. */
    readonly id: string;
    /** What happened, e.g. `contact.updated.v1`. */
    readonly name: string;
    /** When. */
    readonly occurredAt: Date;
    /** Who did it. */
    readonly actor: string;
    /** The request that caused it. */
    readonly requestId: string;
    /** The record that it happened to. */
    readonly subject: EntityRef;
    /** What the name's schema says. */
    readonly data: Json;
}

/** What became of the rows: `created + updated + skipped + failed` is their number. */
export interface ImportReport {
    /** Rows that made a contact. */
    readonly created: number;
    /** Rows that changed a contact. */
    readonly updated: number;
    /** Rows that are a known contact, which was left as it is, or which they changed in nothing. */
    readonly skipped: number;
    /** Rows that were refused. */
    readonly failed: number;
    /** Why, one entry for each refused value, at most the bound. */
    readonly errors: readonly RowError[];
    /** Entries that found no room in `errors`. */
    readonly errorsOmitted: number;
    /**
     * What rows held that their contacts do not, e.g. pictures, and rows that were skipped for a shared phone
     * alone; at most the bound.
     */
    readonly warnings: readonly RowError[];
}

/** A refused value of a row. */
export interface RowError {
    /** The row as a spreadsheet numbers it, with the header in row 1; the card's number; the line. */
    readonly row: number;
    /** The path of the value as the caller wrote it, e.g. `emails[1].address`. */
    readonly field: string;
    /** A stable word for programs, e.g. `invalid_email`. */
    readonly code: string;
    /** A sentence for people. */
    readonly message: string;
}

/**
 * What a caller says of a contact to be made; nothing is trusted yet. ``` use crm_core.contacts::NewContact;
 * let ada = NewContact::named("Ada", "Lovelace").email("ada@example.com").phone("+44 20 7946 0958");
 * assertEq!(ada.emails[0].address, "ada@example.com"); ```
 */
export interface NewContact {
    /** Given name, at most 255 characters. */
    firstName?: string | null | undefined;
    /** Family name, at most 255 characters. */
    lastName?: string | null | undefined;
    /** The name to show, where it is not first and last name. */
    displayName?: string | null | undefined;
    /** The employer's name. */
    company?: string | null | undefined;
    /** The employer's own record. */
    companyId?: string | null | undefined;
    /** Job title. */
    title?: string | null | undefined;
    /** E-mail addresses, the primary one first; at most 50. */
    emails?: readonly NewEmail[] | undefined;
    /** Phone numbers, the primary one first; at most 50. */
    phones?: readonly NewPhone[] | undefined;
    /** Postal addresses, the primary one first; at most 50. */
    addresses?: readonly PostalAddressInput[] | undefined;
    /** Tags; at most 100. */
    tags?: readonly string[] | undefined;
    /** Fields of the tenant's own; at most 250. */
    custom?: { readonly [key: string]: CustomValue } | undefined;
    /** The user who looks after the contact. */
    ownerId?: string | null | undefined;
    /** Where the contact came from. */
    source?: string | null | undefined;
}

/** An e-mail address as typed. */
export interface NewEmail {
    /** The address. */
    address: string;
    /** What it is for, e.g. `work`. */
    label?: string | null | undefined;
}

/** A phone number as typed. */
export interface NewPhone {
    /** The number in any notation; the same as `raw`, and enough by itself. */
    number?: string | null | undefined;
    /** What was typed, kept as it is. */
    raw?: string | null | undefined;
    /** What it is for, e.g. `mobile`. */
    label?: string | null | undefined;
}

/** A postal address. */
export interface PostalAddressInput {
    /** Street and house number; further lines after a line break. */
    street?: string | null | undefined;
    /** Town. */
    city?: string | null | undefined;
    /** State, province or county. */
    region?: string | null | undefined;
    /** Postal code. */
    postalCode?: string | null | undefined;
    /** Country, as written. */
    country?: string | null | undefined;
    /** What it is for, e.g. `home`. */
    label?: string | null | undefined;
}

/**
 * A change to a contact: an RFC 7396 merge patch. Lists are replaced whole, `custom` is merged key by key.
 */
export interface ContactPatch {
    /** Given name. */
    firstName?: string | null | undefined;
    /** Family name. */
    lastName?: string | null | undefined;
    /** The name to show; cleared, it follows the other names again. */
    displayName?: string | null | undefined;
    /** The employer's name. */
    company?: string | null | undefined;
    /** The employer's own record. */
    companyId?: string | null | undefined;
    /** Job title. */
    title?: string | null | undefined;
    /** All e-mail addresses. */
    emails?: readonly NewEmail[] | null | undefined;
    /** All phone numbers. */
    phones?: readonly NewPhone[] | null | undefined;
    /** All postal addresses. */
    addresses?: readonly PostalAddressInput[] | null | undefined;
    /** All tags. */
    tags?: readonly string[] | null | undefined;
    /** Fields of the tenant's own: `null` removes one. */
    custom?: { readonly [key: string]: CustomValue | null } | null | undefined;
    /** The user who looks after the contact. */
    ownerId?: string | null | undefined;
    /** Where the contact came from. */
    source?: string | null | undefined;
}

/** Which contacts, in which order; all filters must hold. */
export interface ListContacts {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** The order; `-` before it turns it round. `createdAt` where it is absent. */
    sort?: ContactOrder | null | undefined;
    /** Whether to count all contacts that the filters mean; exact, and as slow as that. */
    includeTotal?: boolean | undefined;
    /** Has this e-mail address. */
    email?: string | null | undefined;
    /** Has this phone number, in any notation; one without a country code belongs to the tenant's region. */
    phone?: string | null | undefined;
    /** Has this tag. */
    tag?: string | null | undefined;
    /** Is looked after by this user. */
    ownerId?: string | null | undefined;
    /** Works for this company. */
    companyId?: string | null | undefined;
    /** Made at this time or later. */
    createdAfter?: Date | string | null | undefined;
    /** Made before this time. */
    createdBefore?: Date | string | null | undefined;
    /** Changed at this time or later. */
    updatedAfter?: Date | string | null | undefined;
    /** Changed before this time. */
    updatedBefore?: Date | string | null | undefined;
    /** Deleted contacts alone (`only`) or with the others (`include`); none where it is absent. */
    deleted?: OfDeleted | null | undefined;
}

/** An order of contacts. */
export type ContactOrder = 
    | "created_at"
    | "updated_at"
    | "last_name"
    | "-created_at"
    | "-updated_at"
    | "-last_name";

/** Which deleted contacts a list has. */
export type OfDeleted = "only" | "include";

/** What is searched among contacts. */
export interface SearchContacts {
    /** What is looked for, in any words. */
    q: string;
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** The best first (`relevance`, the default) or the last changed first (`updatedAt`). */
    sort?: SearchSort | null | undefined;
}

/** What a search is sorted by. */
export type SearchSort = "relevance" | "updated_at";

/** Which page of a list, where nothing else can be asked of it. */
export interface Paging {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
}

/** What a contact said, to be written down. */
export interface NewConsent {
    /** To what. */
    purpose: Purpose;
    /** Whether they agreed. */
    granted: boolean;
    /** How it is known, at most 255 characters. */
    source?: string | null | undefined;
}

/** A company to be made. */
export interface NewCompany {
    /** Its name, at most 255 characters. */
    name: string;
    /** The domain of its e-mail addresses. */
    domain?: string | null | undefined;
}

/** A change to a company: an RFC 7396 merge patch. */
export interface CompanyPatch {
    /** Its name; cannot be cleared. */
    name?: string | undefined;
    /** The domain of its e-mail addresses. */
    domain?: string | null | undefined;
}

/**
 * An activity to be logged by a person. What is logged stays as it is: a mistake is corrected by another
 * entry.
 */
export type NewActivity = NewActivityFields & (
    | {
        kind: "note";
        data?: { readonly [key: string]: never } | null | undefined;
    }
    | {
        kind: "email";
        data?: {
            /** Whether it was sent or received. */
            direction?: "inbound" | "outbound" | null | undefined;
            /** Who it came from. */
            from?: string | null | undefined;
            /** Who it went to. */
            to?: readonly string[] | undefined;
        } | null | undefined;
    }
    | {
        kind: "sms";
        data?: {
            /** Whether it was sent or received. */
            direction?: "inbound" | "outbound" | null | undefined;
            /** The other side's number. */
            number?: string | null | undefined;
        } | null | undefined;
    }
    | {
        kind: "meeting";
        data?: {
            /** When it ended or will end. */
            endsAt?: Date | string | null | undefined;
            /** Where. */
            location?: string | null | undefined;
            /** Who took part. */
            attendees?: readonly string[] | undefined;
        } | null | undefined;
    }
    | {
        kind: "call";
        data?: {
            /** Who called whom. */
            direction?: "inbound" | "outbound" | null | undefined;
            /** The other side's number. */
            number?: string | null | undefined;
            /** How long it took. */
            durationSeconds?: number | null | undefined;
            /** What came of it. */
            disposition?: string | null | undefined;
            /** How far it is; the CRM alone writes it. */
            status?: 
                | "queued"
                | "initiated"
                | "ringing"
                | "in_progress"
                | "failed"
                | "canceled"
                | "no_answer"
                | "busy"
                | "completed"
                | null | undefined;
            /** The call's own record; the CRM alone writes it. */
            callId?: string | null | undefined;
        } | null | undefined;
    }
    | {
        kind: "task";
        data?: {
            /** Until when. */
            dueAt?: Date | string | null | undefined;
            /** Whether it is done. */
            done?: boolean | undefined;
        } | null | undefined;
    }
);

/** What all of `NewActivity` have. */
export interface NewActivityFields {
    /** The contact on whose timeline it will stand. */
    contactId: string;
    /** When it happened; now, where it is absent. */
    occurredAt?: Date | string | null | undefined;
    /** One line, at most 500 characters. */
    subject?: string | null | undefined;
    /** The text, at most 65,536 bytes. */
    body?: string | null | undefined;
}

/** Which activities; all filters must hold. */
export interface ListActivities {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** On this contact's timeline. */
    contactId?: string | null | undefined;
    /** Of this kind. */
    kind?: ActivityKind | null | undefined;
    /** By this user. */
    userId?: string | null | undefined;
    /** At this time or later. */
    from?: Date | string | null | undefined;
    /** Before this time. */
    to?: Date | string | null | undefined;
}

/** Which activities are counted, and by what. */
export interface CountActivities {
    /** What to count by. */
    groupBy: StatsGroupBy;
    /** On this contact's timeline. */
    contactId?: string | null | undefined;
    /** Of this kind. */
    kind?: ActivityKind | null | undefined;
    /** By this user. */
    userId?: string | null | undefined;
    /** At this time or later. */
    from?: Date | string | null | undefined;
    /** Before this time. */
    to?: Date | string | null | undefined;
}

/** What statistics count by. */
export type StatsGroupBy = "kind" | "user" | "day";

/** A call to be made. */
export interface StartCall {
    /** Who is called. */
    contactId: string;
    /** One of the contact's numbers, in any notation; the primary one where it is absent. */
    to?: string | null | undefined;
    /**
     * One of the tenant's numbers, in any notation; the first one of its first account where it is absent.
     */
    from?: string | null | undefined;
    /** Whether it is to be recorded, which takes the contact's consent. */
    record?: boolean | undefined;
}

/** A call that was made on an ordinary phone. */
export interface LogCall {
    /** With whom. */
    contactId: string;
    /** Who called whom. */
    direction: "inbound" | "outbound";
    /** The contact's number, in any notation; the primary one where it is absent. */
    number?: string | null | undefined;
    /** When it began; now, where it is absent. */
    startedAt?: Date | string | null | undefined;
    /** How it ended: `completed` where it is absent, or another end. */
    status?: 
        | "queued"
        | "initiated"
        | "ringing"
        | "in_progress"
        | "failed"
        | "canceled"
        | "no_answer"
        | "busy"
        | "completed"
        | null | undefined;
    /** How long was talked, at most a week. */
    durationSeconds?: number | null | undefined;
    /** What came of it: one of the tenant's dispositions. */
    disposition?: string | null | undefined;
    /** What is to be known of it, at most 10,000 characters. */
    note?: string | null | undefined;
}

/** Which calls; all filters must hold. */
export interface ListCalls {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** With this contact. */
    contactId?: string | null | undefined;
    /** By this user. */
    userId?: string | null | undefined;
    /** Who called whom. */
    direction?: "inbound" | "outbound" | null | undefined;
    /** So far for the carrier. */
    status?: 
        | "queued"
        | "initiated"
        | "ringing"
        | "in_progress"
        | "failed"
        | "canceled"
        | "no_answer"
        | "busy"
        | "completed"
        | null | undefined;
    /** With this outcome. */
    disposition?: string | null | undefined;
    /** Begun at this time or later. */
    from?: Date | string | null | undefined;
    /** Begun before this time. */
    to?: Date | string | null | undefined;
}

/** A change to a call: an RFC 7396 merge patch. */
export interface CallPatch {
    /** What came of it: one of the tenant's dispositions. */
    disposition?: string | null | undefined;
    /** What is to be known of it, at most 10,000 characters. */
    note?: string | null | undefined;
}

/** An account to be kept. */
export interface NewTelephonyAccount {
    /** Which carrier: `twilio`, or `simulator`, which makes calls up. */
    provider: string;
    /** The carrier's name of the account, e.g. `AC…`. */
    name: string;
    /** What proves that it is ours. */
    secrets: CarrierSecrets;
    /** Its numbers, in any notation, at most 200. */
    numbers?: readonly string[] | undefined;
    /** Who is connected with the other side, in and out, in any notation. */
    connectTo?: string | null | undefined;
    /** What is said where nobody is connected, at most 500 characters. */
    greeting?: string | null | undefined;
    /** The carrier's own settings, e.g. `edge` and `region`, at most 10. */
    options?: { readonly [key: string]: string } | undefined;
}

/** What proves that an account is ours. */
export interface CarrierSecrets {
    /**
     * The account's tokens: the first is used, each is good for the carrier's signatures. Two while one takes
     * the place of the other.
     */
    authTokens?: readonly string[] | undefined;
    /** An API key, which is used for requests instead of the first token. */
    apiKey?: CarrierApiKey | null | undefined;
}

/** An API key of a carrier. */
export interface CarrierApiKey {
    /** Its name, e.g. `SK…`. */
    id: string;
    /** Its secret. */
    secret: string;
}

/** A change to an account: an RFC 7396 merge patch. Secrets and lists are replaced whole. */
export interface TelephonyAccountPatch {
    /** What proves that it is ours: two tokens while one takes the place of the other. Cannot be cleared. */
    secrets?: CarrierSecrets | undefined;
    /** Its numbers, in any notation, at most 200. */
    numbers?: readonly string[] | null | undefined;
    /** Who is connected with the other side, in any notation. */
    connectTo?: string | null | undefined;
    /** What is said where nobody is connected, at most 500 characters. */
    greeting?: string | null | undefined;
    /** The carrier's own settings, at most 10. */
    options?: { readonly [key: string]: string } | null | undefined;
    /** Whether it is used. Cannot be cleared. */
    active?: boolean | undefined;
}

/** Which notifications. */
export interface ListNotifications {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** Only those that were not read. */
    unread?: boolean | undefined;
}

/** New preferences, in place of those before. */
export interface SetNotificationPreferences {
    /** By kind and channel, whether it is wanted; what is not named is. */
    channels?: { readonly [key: string]: { readonly [key: string]: boolean } } | undefined;
    /** When channels outside of the program keep silent. */
    quietHours?: QuietHours | null | undefined;
}

/** Something for many people. */
export interface NewBroadcast {
    /** One line, 1 to 200 characters. */
    title: string;
    /** More, up to 4,000 characters. */
    body?: string | null | undefined;
    /** Who is told; everybody where nothing is said. */
    to?: Audience | undefined;
}

/** Who is told something by an administrator. */
export type Audience = "everybody" | "owner" | "admin" | "agent" | "viewer";

/** A user to be made. */
export interface NewUser {
    /** The address they sign in with. */
    email: string;
    /** Their name; the address where it is absent. */
    fullName?: string | null | undefined;
    /** What they may do. */
    role: Role;
}

/** A change to a user: an RFC 7396 merge patch. None of the fields can be cleared. */
export interface UserPatch {
    /** Their name. */
    fullName?: string | undefined;
    /** What they may do. */
    role?: Role | undefined;
    /** Whether they may work. */
    status?: UserStatus | undefined;
}

/** Another password. */
export interface ChangePassword {
    /** The password that it was. */
    currentPassword: string;
    /** The password that it shall be: at least 15 characters, 8 beside a second factor. */
    newPassword: string;
}

/** Another proof of who somebody is, for what asks for a fresh one. */
export interface StepUp {
    /** The password. */
    password: string;
    /** A code of the second factor, where there is one. */
    code?: string | null | undefined;
}

/** Goes without a second factor again. */
export interface RemoveTotp {
    /** The password, which is the only factor then: at least 15 characters. */
    password: string;
    /** A code of the generator, or a recovery code. */
    code: string;
}

/** An API key to be made. */
export interface NewApiKey {
    /** What people call it, at most 255 characters. */
    name: string;
    /** What it may do at most; not more than who makes it. */
    role: Role;
    /** The actions that it may do, e.g. `contacts:read`. */
    scopes: readonly (
        | "contacts:read"
        | "contacts:create"
        | "contacts:update"
        | "contacts:delete"
        | "contacts:restore"
        | "contacts:import"
        | "contacts:export"
        | "companies:read"
        | "companies:write"
        | "activities:read"
        | "activities:log"
        | "calls:read"
        | "calls:place"
        | "calls:update"
        | "recordings:read"
        | "recordings:delete"
        | "consents:read"
        | "consents:record"
        | "telephony:read"
        | "jobs:read"
        | "jobs:manage"
        | "users:read"
        | "tenant:read"
        | "events:follow"
        | "events:read"
        | "audit:read")[];
    /** Until when it can be used; for ever where it is absent. */
    expiresAt?: Date | string | null | undefined;
}

/** A change to a tenant: an RFC 7396 merge patch. */
export interface TenantPatch {
    /** Its name for people, at most 255 characters. Cannot be cleared. */
    name?: string | undefined;
    /** The region of phone numbers without a country code. Cannot be cleared. */
    defaultRegion?: string | undefined;
    /**
     * The domains of e-mail addresses whose holders may join by an account with a provider of identities, at
     * most 100.
     */
    joinDomains?: readonly string[] | null | undefined;
    /** What those who join so are, any role but `owner`; `viewer` where it is cleared. */
    joinRole?: Role | null | undefined;
    /** What can come of a call, at most 50 of at most 64 characters; the common ones where it is cleared. */
    dispositions?: readonly string[] | null | undefined;
    /**
     * How many days recordings are kept, 1 to 36,500; cleared, they are kept for ever. It holds for
     * recordings that are made from then on.
     */
    recordingDays?: number | null | undefined;
}

/** Which jobs; all filters must hold. */
export interface ListJobs {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** In this state. */
    state?: JobState | null | undefined;
    /** Of this kind. */
    kind?: string | null | undefined;
}

/** Which entries. */
export interface ListAudit {
    /** How many items the page has at most. */
    limit?: number | null | undefined;
    /** `nextCursor` of the page before. */
    cursor?: string | null | undefined;
    /** About this record alone, as `contact:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f`. */
    resource?: string | null | undefined;
}

/** A tenant to be made, with its owner. */
export interface NewTenant {
    /** Its name for people, at most 255 characters. */
    name: string;
    /** Its name in commands; made from `name` where it is absent. */
    slug?: string | null | undefined;
    /** The region of phone numbers without a country code. */
    defaultRegion: string;
    /** The owner's e-mail address. */
    ownerEmail: string;
    /** The owner's name; the address where it is absent. */
    ownerName?: string | null | undefined;
}

/** Which tenants. */
export interface ListTenants {
    /** Those whose slug comes after this one. */
    after?: string | null | undefined;
    /** At most so many, 1 to 200; 50 where nothing is said. */
    limit?: number | null | undefined;
}

/** A tenant and its owner, who comes in at once. */
export interface Registration {
    /** The tenant's name, at most 255 characters. */
    companyName: string;
    /** The owner's name, at most 255 characters. */
    fullName: string;
    /** The owner's e-mail address. */
    email: string;
    /** The owner's password: at least 15 characters. */
    password: string;
    /**
     * The region of phone numbers without a country code, two letters of ISO 3166; `US` where it is absent.
     */
    defaultRegion?: string | null | undefined;
    /** The operator's invitation, where one is needed to register. */
    invitation?: string | null | undefined;
}

/** Somebody who says who they are. */
export interface PasswordSignIn {
    /** Their e-mail address. */
    email: string;
    /** Their password. */
    password: string;
    /** The tenant's id or slug, where the address and the password belong to several. */
    tenant?: string | null | undefined;
    /** A code of the second factor, where there is one: six digits of its generator, or a recovery code. */
    code?: string | null | undefined;
}

/** Somebody who comes in by an invitation. */
export interface AcceptInvitation {
    /** The invitation. */
    invitation: string;
    /** The password that they choose: at least 15 characters. */
    password: string;
    /** Their name, at most 255 characters; as it was given for them where it is absent. */
    fullName?: string | null | undefined;
}

export const toContact = (v: Raw): Contact => ({ id: v.id, firstName: v.first_name, lastName: v.last_name, displayName: v.display_name, company: v.company, companyId: v.company_id, title: v.title, emails: v.emails, phones: v.phones, addresses: v.addresses.map(toPostalAddress), tags: v.tags, custom: v.custom, ownerId: v.owner_id, source: v.source, createdAt: date(v.created_at), updatedAt: date(v.updated_at), deletedAt: v.deleted_at === null ? null : date(v.deleted_at), version: v.version });

export const toPostalAddress = (v: Raw): PostalAddress => ({ street: v.street, city: v.city, region: v.region, postalCode: v.postal_code, country: v.country, label: v.label });

export const toUpserted = (v: Raw): Upserted => ({ created: v.created, contact: toContact(v.contact) });

export const toContactPage = (v: Raw): ContactPage => ({ items: v.items.map(toContact), nextCursor: v.next_cursor, total: v.total });

export const toPageOfSearchHit = (v: Raw): Page<SearchHit> => ({ items: v.items.map(toSearchHit), nextCursor: v.next_cursor });

export const toSearchHit = (v: Raw): SearchHit => ({ contact: toContact(v.contact), score: v.score });

export const toPageOfActivity = (v: Raw): Page<Activity> => ({ items: v.items.map(toActivity), nextCursor: v.next_cursor });

function toActivityData(v: Raw): Raw {
    switch (v.kind) {
        case "meeting":
            return { endsAt: v.data.ends_at === null ? null : date(v.data.ends_at), location: v.data.location, attendees: v.data.attendees };
        case "call":
            return { direction: v.data.direction, number: v.data.number, durationSeconds: v.data.duration_seconds, disposition: v.data.disposition, status: v.data.status, callId: v.data.call_id };
        case "task":
            return { dueAt: v.data.due_at === null ? null : date(v.data.due_at), done: v.data.done };
        default:
            return v.data;
    }
}

export const toActivity = (v: Raw): Activity => ({ id: v.id, contactId: v.contact_id, kind: v.kind, occurredAt: date(v.occurred_at), userId: v.user_id, subject: v.subject, body: v.body, data: toActivityData(v), createdAt: date(v.created_at) });

export const toConsent = (v: Raw): Consent => ({ id: v.id, contactId: v.contact_id, purpose: v.purpose, granted: v.granted, source: v.source, userId: v.user_id, at: date(v.at) });

export const toCompany = (v: Raw): Company => ({ id: v.id, name: v.name, domain: v.domain, createdAt: date(v.created_at), updatedAt: date(v.updated_at), version: v.version });

export const toPageOfCompany = (v: Raw): Page<Company> => ({ items: v.items.map(toCompany), nextCursor: v.next_cursor });

export const toCall = (v: Raw): Call => ({ id: v.id, contactId: v.contact_id, userId: v.user_id, direction: v.direction, from: v.from, to: v.to, status: v.status, placement: v.placement, disposition: v.disposition, provider: v.provider, providerCallId: v.provider_call_id, startedAt: date(v.started_at), answeredAt: v.answered_at === null ? null : date(v.answered_at), endedAt: v.ended_at === null ? null : date(v.ended_at), durationSeconds: v.duration_seconds, answeredBy: v.answered_by, price: v.price, failure: v.failure, recordingConsent: v.recording_consent === null ? null : toConsentSnapshot(v.recording_consent), hasRecording: v.has_recording, recordingExpiresAt: v.recording_expires_at === null ? null : date(v.recording_expires_at), note: v.note, activityId: v.activity_id, createdAt: date(v.created_at), updatedAt: date(v.updated_at), version: v.version });

export const toConsentSnapshot = (v: Raw): ConsentSnapshot => ({ granted: v.granted, consentId: v.consent_id, at: date(v.at) });

export const toPageOfCall = (v: Raw): Page<Call> => ({ items: v.items.map(toCall), nextCursor: v.next_cursor });

export const toTelephonyAccount = (v: Raw): TelephonyAccount => ({ id: v.id, provider: v.provider, name: v.name, numbers: v.numbers, connectTo: v.connect_to, greeting: v.greeting, options: v.options, active: v.active, createdAt: date(v.created_at), updatedAt: date(v.updated_at), version: v.version });

export const toPageOfNotification = (v: Raw): Page<Notification> => ({ items: v.items.map(toNotification), nextCursor: v.next_cursor });

export const toNotification = (v: Raw): Notification => ({ id: v.id, userId: v.user_id, kind: v.kind, title: v.title, body: v.body, data: v.data, count: v.count, createdAt: date(v.created_at), deliveredAt: v.delivered_at === null ? null : date(v.delivered_at), readAt: v.read_at === null ? null : date(v.read_at), version: v.version });

export const toNotificationPreferences = (v: Raw): NotificationPreferences => ({ userId: v.user_id, channels: v.channels, quietHours: v.quiet_hours, version: v.version });

export const toPresent = (v: Raw): Present => ({ userId: v.user_id, connections: v.connections });

export const toCreatedUser = (v: Raw): CreatedUser => ({ id: v.id, email: v.email, fullName: v.full_name, role: v.role, status: v.status, sessionEpoch: v.session_epoch, createdAt: date(v.created_at), updatedAt: date(v.updated_at), version: v.version, invitation: v.invitation });

export const toUser = (v: Raw): User => ({ id: v.id, email: v.email, fullName: v.full_name, role: v.role, status: v.status, sessionEpoch: v.session_epoch, createdAt: date(v.created_at), updatedAt: date(v.updated_at), version: v.version });

export const toPageOfUser = (v: Raw): Page<User> => ({ items: v.items.map(toUser), nextCursor: v.next_cursor });

export const toMe = (v: Raw): Me => ({ user: v.user === null ? null : toUser(v.user), tenant: toTenant(v.tenant), role: v.role, permissions: v.permissions, session: v.session === null ? null : toSignInInfo(v.session), secondFactor: v.second_factor, recoveryCodesLeft: v.recovery_codes_left });

export const toTenant = (v: Raw): Tenant => ({ id: v.id, name: v.name, slug: v.slug, defaultRegion: v.default_region, joinDomains: v.join_domains, joinRole: v.join_role, dispositions: v.dispositions, recordingDays: v.recording_days, createdAt: date(v.created_at), version: v.version });

export const toSignInInfo = (v: Raw): SignInInfo => ({ id: v.id, method: v.method, createdAt: date(v.created_at), refreshedAt: date(v.refreshed_at), expiresAt: date(v.expires_at), userAgent: v.user_agent, address: v.address, current: v.current });

export const toRecoveryCodes = (v: Raw): RecoveryCodes => ({ recoveryCodes: v.recovery_codes });

export const toCreatedApiKey = (v: Raw): CreatedApiKey => ({ id: v.id, name: v.name, role: v.role, scopes: v.scopes, createdBy: v.created_by, createdAt: date(v.created_at), expiresAt: v.expires_at === null ? null : date(v.expires_at), lastUsedAt: v.last_used_at === null ? null : date(v.last_used_at), revokedAt: v.revoked_at === null ? null : date(v.revoked_at), version: v.version, secret: v.secret });

export const toPageOfApiKeyInfo = (v: Raw): Page<ApiKeyInfo> => ({ items: v.items.map(toApiKeyInfo), nextCursor: v.next_cursor });

export const toApiKeyInfo = (v: Raw): ApiKeyInfo => ({ id: v.id, name: v.name, role: v.role, scopes: v.scopes, createdBy: v.created_by, createdAt: date(v.created_at), expiresAt: v.expires_at === null ? null : date(v.expires_at), lastUsedAt: v.last_used_at === null ? null : date(v.last_used_at), revokedAt: v.revoked_at === null ? null : date(v.revoked_at), version: v.version });

export const toPageOfJob = (v: Raw): Page<Job> => ({ items: v.items.map(toJob), nextCursor: v.next_cursor });

export const toJob = (v: Raw): Job => ({ id: v.id, kind: v.kind, payload: v.payload, state: v.state, priority: v.priority, runAt: date(v.run_at), attempts: v.attempts, maxAttempts: v.max_attempts, uniqueKey: v.unique_key, failure: v.failure, requestId: v.request_id, createdAt: date(v.created_at) });

export const toPageOfAuditEntry = (v: Raw): Page<AuditEntry> => ({ items: v.items.map(toAuditEntry), nextCursor: v.next_cursor });

export const toAuditEntry = (v: Raw): AuditEntry => ({ id: v.id, at: date(v.at), actor: v.actor, action: v.action, resource: v.resource, requestId: v.request_id, fields: v.fields });

export const toCreatedTenant = (v: Raw): CreatedTenant => ({ tenant: toTenant(v.tenant), owner: toUser(v.owner) });

export const toRegistered = (v: Raw): Registered => ({ tenant: toTenant(v.tenant), user: toUser(v.user), accessToken: v.access_token, refreshToken: v.refresh_token, tokenType: v.token_type, expiresIn: v.expires_in });

export const toSignedIn = (v: Raw): SignedIn => ({ accessToken: v.access_token, refreshToken: v.refresh_token, tokenType: v.token_type, expiresIn: v.expires_in, user: toUser(v.user) });

export const toTokens = (v: Raw): Tokens => ({ accessToken: v.access_token, refreshToken: v.refresh_token, tokenType: v.token_type, expiresIn: v.expires_in });

export const toFollowedEvent = (v: Raw): FollowedEvent => ({ position: v.position, id: v.id, name: v.name, occurredAt: date(v.occurred_at), actor: v.actor, requestId: v.request_id, subject: v.subject, data: v.data });

export const toImportReport = (v: Raw): ImportReport => ({ created: v.created, updated: v.updated, skipped: v.skipped, failed: v.failed, errors: v.errors, errorsOmitted: v.errors_omitted, warnings: v.warnings });

const ofNewEmail: Shape = { address: ["address"], label: ["label"] };

const ofNewPhone: Shape = { number: ["number"], raw: ["raw"], label: ["label"] };

const ofPostalAddress: Shape = { street: ["street"], city: ["city"], region: ["region"], postalCode: ["postal_code"], country: ["country"], label: ["label"] };

const ofNewContact: Shape = { firstName: ["first_name"], lastName: ["last_name"], displayName: ["display_name"], company: ["company"], companyId: ["company_id"], title: ["title"], emails: ["emails", ofNewEmail], phones: ["phones", ofNewPhone], addresses: ["addresses", ofPostalAddress], tags: ["tags"], custom: ["custom"], ownerId: ["owner_id"], source: ["source"] };

const ofContactPatch: Shape = { firstName: ["first_name"], lastName: ["last_name"], displayName: ["display_name"], company: ["company"], companyId: ["company_id"], title: ["title"], emails: ["emails", ofNewEmail], phones: ["phones", ofNewPhone], addresses: ["addresses", ofPostalAddress], tags: ["tags"], custom: ["custom"], ownerId: ["owner_id"], source: ["source"] };

const ofListContacts: Shape = { limit: ["limit"], cursor: ["cursor"], sort: ["sort"], includeTotal: ["include_total"], email: ["email"], phone: ["phone"], tag: ["tag"], ownerId: ["owner_id"], companyId: ["company_id"], createdAfter: ["created_after"], createdBefore: ["created_before"], updatedAfter: ["updated_after"], updatedBefore: ["updated_before"], deleted: ["deleted"] };

const ofSearchContacts: Shape = { q: ["q"], limit: ["limit"], cursor: ["cursor"], sort: ["sort"] };

const ofPaging: Shape = { limit: ["limit"], cursor: ["cursor"] };

const ofNewConsent: Shape = { purpose: ["purpose"], granted: ["granted"], source: ["source"] };

const ofNewCompany: Shape = { name: ["name"], domain: ["domain"] };

const ofCompanyPatch: Shape = { name: ["name"], domain: ["domain"] };

const ofNewActivity: Shape = { contactId: ["contact_id"], kind: ["kind"], occurredAt: ["occurred_at"], subject: ["subject"], body: ["body"], data: ["data", { direction: ["direction"], from: ["from"], to: ["to"], number: ["number"], endsAt: ["ends_at"], location: ["location"], attendees: ["attendees"], durationSeconds: ["duration_seconds"], disposition: ["disposition"], status: ["status"], callId: ["call_id"], dueAt: ["due_at"], done: ["done"] }] };

const ofListActivities: Shape = { limit: ["limit"], cursor: ["cursor"], contactId: ["contact_id"], kind: ["kind"], userId: ["user_id"], from: ["from"], to: ["to"] };

const ofCountActivities: Shape = { groupBy: ["group_by"], contactId: ["contact_id"], kind: ["kind"], userId: ["user_id"], from: ["from"], to: ["to"] };

const ofStartCall: Shape = { contactId: ["contact_id"], to: ["to"], from: ["from"], record: ["record"] };

const ofLogCall: Shape = { contactId: ["contact_id"], direction: ["direction"], number: ["number"], startedAt: ["started_at"], status: ["status"], durationSeconds: ["duration_seconds"], disposition: ["disposition"], note: ["note"] };

const ofListCalls: Shape = { limit: ["limit"], cursor: ["cursor"], contactId: ["contact_id"], userId: ["user_id"], direction: ["direction"], status: ["status"], disposition: ["disposition"], from: ["from"], to: ["to"] };

const ofCallPatch: Shape = { disposition: ["disposition"], note: ["note"] };

const ofCarrierApiKey: Shape = { id: ["id"], secret: ["secret"] };

const ofCarrierSecrets: Shape = { authTokens: ["auth_tokens"], apiKey: ["api_key", ofCarrierApiKey] };

const ofNewTelephonyAccount: Shape = { provider: ["provider"], name: ["name"], secrets: ["secrets", ofCarrierSecrets], numbers: ["numbers"], connectTo: ["connect_to"], greeting: ["greeting"], options: ["options"] };

const ofTelephonyAccountPatch: Shape = { secrets: ["secrets", ofCarrierSecrets], numbers: ["numbers"], connectTo: ["connect_to"], greeting: ["greeting"], options: ["options"], active: ["active"] };

const ofListNotifications: Shape = { limit: ["limit"], cursor: ["cursor"], unread: ["unread"] };

const ofQuietHours: Shape = { from: ["from"], to: ["to"], zone: ["zone"] };

const ofSetNotificationPreferences: Shape = { channels: ["channels"], quietHours: ["quiet_hours", ofQuietHours] };

const ofNewBroadcast: Shape = { title: ["title"], body: ["body"], to: ["to"] };

const ofNewUser: Shape = { email: ["email"], fullName: ["full_name"], role: ["role"] };

const ofUserPatch: Shape = { fullName: ["full_name"], role: ["role"], status: ["status"] };

const ofChangePassword: Shape = { currentPassword: ["current_password"], newPassword: ["new_password"] };

const ofStepUp: Shape = { password: ["password"], code: ["code"] };

const ofRemoveTotp: Shape = { password: ["password"], code: ["code"] };

const ofNewApiKey: Shape = { name: ["name"], role: ["role"], scopes: ["scopes"], expiresAt: ["expires_at"] };

const ofTenantPatch: Shape = { name: ["name"], defaultRegion: ["default_region"], joinDomains: ["join_domains"], joinRole: ["join_role"], dispositions: ["dispositions"], recordingDays: ["recording_days"] };

const ofListJobs: Shape = { limit: ["limit"], cursor: ["cursor"], state: ["state"], kind: ["kind"] };

const ofListAudit: Shape = { limit: ["limit"], cursor: ["cursor"], resource: ["resource"] };

const ofNewTenant: Shape = { name: ["name"], slug: ["slug"], defaultRegion: ["default_region"], ownerEmail: ["owner_email"], ownerName: ["owner_name"] };

const ofListTenants: Shape = { after: ["after"], limit: ["limit"] };

const ofRegistration: Shape = { companyName: ["company_name"], fullName: ["full_name"], email: ["email"], password: ["password"], defaultRegion: ["default_region"], invitation: ["invitation"] };

const ofPasswordSignIn: Shape = { email: ["email"], password: ["password"], tenant: ["tenant"], code: ["code"] };

const ofAcceptInvitation: Shape = { invitation: ["invitation"], password: ["password"], fullName: ["full_name"] };

/**
 * Which CRM, and what it works with: the options of `crm-http serve` that are not the server's. ``` #
 * tokio.runtime::Runtime::new().unwrap().blockOn(async { use crmEmbed::Opening; let options =
 * serdeJson::json!({ "database": "sqlite::memory:", "simulator": true }); let crm =
 * Opening::read(options)?.open(|builder| builder).await?.crm; crm.check().await?; # Ok::<(),
 * crmCore::Error>(()) }).unwrap(); ```
 */
export interface Opening {
    /** The database: `sqlite://PATH`, `sqlite.memory:` or `postgres://USER:PASSWORD@HOST/NAME`. */
    database: string;
    /** The schema of a PostgreSQL database that holds the tables; `crm` where nothing is said. */
    schema?: string | null | undefined;
    /** Whether PostgreSQL is behind a pooler that keeps no prepared statements. */
    simpleProtocol?: boolean | undefined;
    /**
     * The file of keys that sign access tokens and seal what is kept secret, made where there is none;
     * `crm.keys.toml` beside a database in a file. Every process of a database needs the same one.
     */
    keys?: string | null | undefined;
    /**
     * The URL under which the outside sees the host, e.g. `https://crm.example`: where carriers tell of
     * calls, and who signs access tokens.
     */
    publicUrl?: string | null | undefined;
    /**
     * Where recordings are kept, sealed: a folder, or `s3://BUCKET/PREFIX`, `gs://..`, `az://..`;
     * `crm.recordings` beside a database in a file.
     */
    recordings?: string | null | undefined;
    /** Redis or Valkey, where several processes work together. */
    redis?: string | null | undefined;
    /** A PostgreSQL through which processes tell each other what happens, where there is no Redis. */
    postgresBus?: string | null | undefined;
    /** For how many seconds events can be read, at least 3,600; 30 days where nothing is said. */
    eventsKeptSeconds?: number | null | undefined;
    /** Lets tenants have accounts with the simulator, a carrier that makes its calls up. */
    simulator?: boolean | undefined;
    /** Who may make a tenant by registering; nobody where nothing is said. */
    registration?: Registering | undefined;
    /** For how many seconds an access token is good; 15 minutes where nothing is said. */
    tokenLifetimeSeconds?: number | null | undefined;
}

/** Who may make a tenant by registering. */
export type Registering = "open" | "invitation" | "closed";

export const ofOpening: Shape = { database: ["database"], schema: ["schema"], simpleProtocol: ["simple_protocol"], keys: ["keys"], publicUrl: ["public_url"], recordings: ["recordings"], redis: ["redis"], postgresBus: ["postgres_bus"], eventsKeptSeconds: ["events_kept_seconds"], simulator: ["simulator"], registration: ["registration"], tokenLifetimeSeconds: ["token_lifetime_seconds"] };

/**
 * The options of the routes: those of `crm-http serve` that do not concern a listener. ``` #
 * tokio.runtime::Runtime::new().unwrap().blockOn(async { use crmEmbed::{Mounting, Opening}; let options =
 * serdeJson::json!({ "database": "sqlite::memory:" }); let opened = Opening::read(options)?.open(|builder|
 * builder).await?; let options = serdeJson::json!({ "corsOrigins": ["https://app.example"], "perCaller":
 * "20/1s" }); let mount = Mounting::read(options)?.mount(&opened)?; # mount.close(); # Ok::<(),
 * crmCore::Error>(()) }).unwrap(); ```
 */
export interface Mounting {
    /**
     * Web pages whose scripts may call, by their origins, e.g. `https://app.example`, or `*` for all; none
     * where nothing is said.
     */
    corsOrigins?: readonly string[] | undefined;
    /** Bytes of the largest JSON body, at least 1; 1 MiB where nothing is said. */
    bodyLimit?: number | null | undefined;
    /** Bytes of the largest file to import, at least 1; 1 GiB where nothing is said. */
    importLimit?: number | null | undefined;
    /**
     * For how many seconds a request may take to be answered, above 0 and at most a day; 30 where nothing is
     * said.
     */
    timeLimitSeconds?: number | null | undefined;
    /**
     * Requests of each user and API key, as a number in seconds, minutes or hours (`600/10s`, `100/1m`), or
     * null for any number; `600/10s` where nothing is said.
     */
    perCaller?: string | null | undefined;
    /**
     * Requests from each address that nobody answers for, written in the same way; `120/10s` where nothing is
     * said.
     */
    perAddress?: string | null | undefined;
    /** Proxies whose word on the caller's address counts, e.g. `10.0.0.0/8`; none where nothing is said. */
    trustedProxies?: readonly string[] | undefined;
    /**
     * The header in which these proxies tell it: `x-forwarded-for`, as where nothing is said, or `forwarded`.
     */
    proxyHeader?: string | null | undefined;
    /**
     * How often, in seconds, a client that follows events is to be heard of, above 0 and at most a day; 25
     * where nothing is said.
     */
    heartbeatSeconds?: number | null | undefined;
    /** The most clients that follow events at once; 20,000 where nothing is said. */
    realtimeConnections?: number | null | undefined;
}

export const ofMounting: Shape = { corsOrigins: ["cors_origins"], bodyLimit: ["body_limit"], importLimit: ["import_limit"], timeLimitSeconds: ["time_limit_seconds"], perCaller: ["per_caller"], perAddress: ["per_address"], trustedProxies: ["trusted_proxies"], proxyHeader: ["proxy_header"], heartbeatSeconds: ["heartbeat_seconds"], realtimeConnections: ["realtime_connections"] };

const contactsCreate = operation<Contact>("contacts.create", false, toContact, ofNewContact);
const contactsCreateOrUpdate = operation<Upserted>("contacts.create_or_update", false, toUpserted, ofNewContact);
const contactsCreateAll = operation<readonly Contact[]>("contacts.create_all", false, (v) => v.map(toContact), {}, { contacts: ofNewContact });
const contactsGet = operation<Contact>("contacts.get", false, toContact, {});
const contactsUpdate = operation<Contact>("contacts.update", false, toContact, ofContactPatch);
const contactsDelete = operation<Contact>("contacts.delete", false, toContact, {});
const contactsRestore = operation<Contact>("contacts.restore", false, toContact, {});
const contactsList = operation<ContactPage>("contacts.list", true, toContactPage, ofListContacts);
const contactsSearch = operation<Page<SearchHit>>("contacts.search", true, toPageOfSearchHit, ofSearchContacts);
const contactsTimeline = operation<Page<Activity>>("contacts.timeline", true, toPageOfActivity, ofPaging);
const contactsConsents = operation<readonly Consent[]>("contacts.consents", false, (v) => v.map(toConsent), {});
const contactsRecordConsent = operation<Consent>("contacts.record_consent", false, toConsent, ofNewConsent);

/** The operations of `contacts`. */
export class ContactsOperations extends Namespace {
    /**
     * Make a contact. `invalid` with one entry for each refused value; `already_exists` where a live contact
     * has one of its e-mails.
     */
    create(fields: NewContact, options?: Options): Promise<Contact> {
        return this.call(contactsCreate, {}, fields, options);
    }

    /** Make a contact, or change the live one that has its e-mail. */
    createOrUpdate(fields: NewContact, options?: Options): Promise<Upserted> {
        return this.call(contactsCreateOrUpdate, {}, fields, options);
    }

    /** Make up to 1,000 contacts in one commit: all of them or none. */
    createAll(contacts: readonly NewContact[], options?: Options): Promise<readonly Contact[]> {
        return this.call(contactsCreateAll, { contacts }, undefined, options);
    }

    /** A contact, in use or deleted. `not_found` where the tenant has none of this id. */
    get(id: string, options?: Options): Promise<Contact> {
        return this.call(contactsGet, { id }, undefined, options);
    }

    /**
     * Change a contact: what is not given stays, null clears. `not_found`; `conflict` where it is deleted;
     * `already_exists` where another has one of its e-mails; `version_conflict` where it is at another
     * `version`; `invalid`.
     */
    update(id: string, changes: ContactPatch, options?: Options & { version?: number | null | undefined }): Promise<Contact> {
        return this.call(contactsUpdate, { id, version: options?.version }, changes, options);
    }

    /**
     * Take a contact out of use. Its e-mails are free at once, and it can be restored. `not_found`;
     * `conflict` where it is deleted; `version_conflict`.
     */
    delete(id: string, options?: Options & { version?: number | null | undefined }): Promise<Contact> {
        return this.call(contactsDelete, { id, version: options?.version }, undefined, options);
    }

    /**
     * Bring a deleted contact back. `not_found`; `conflict` where it is not deleted; `already_exists` where
     * one of its e-mails has been taken.
     */
    restore(id: string, options?: Options): Promise<Contact> {
        return this.call(contactsRestore, { id }, undefined, options);
    }

    /**
     * A page of contacts; all filters must hold. `malformed` for a filter that cannot be read;
     * `unknown_parameter` for an order that there is not; `invalid_cursor` for a cursor of another list.
     */
    list(filter?: ListContacts, options?: Options): Promise<ContactPage> {
        return this.call(contactsList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: ListContacts, options?: Options): AsyncIterableIterator<Contact> {
        return this.pages(contactsList, {}, filter, options);
    }

    /** Search contacts over names, e-mails, phones and companies; typing mistakes are forgiven. */
    search(filter: SearchContacts, options?: Options): Promise<Page<SearchHit>> {
        return this.call(contactsSearch, {}, filter, options);
    }

    /** All of `search`, one await for each page. */
    iterateSearch(filter: SearchContacts, options?: Options): AsyncIterableIterator<SearchHit> {
        return this.pages(contactsSearch, {}, filter, options);
    }

    /** A page of a contact's timeline, the newest first. `not_found`. */
    timeline(id: string, filter?: Paging, options?: Options): Promise<Page<Activity>> {
        return this.call(contactsTimeline, { id }, filter, options);
    }

    /** All of `timeline`, one await for each page. */
    iterateTimeline(id: string, filter?: Paging, options?: Options): AsyncIterableIterator<Activity> {
        return this.pages(contactsTimeline, { id }, filter, options);
    }

    /** What a contact agreed to and refused, the newest first. `not_found`. */
    consents(id: string, options?: Options): Promise<readonly Consent[]> {
        return this.call(contactsConsents, { id }, undefined, options);
    }

    /** Write down what a contact agreed to or refused. `not_found`; `invalid`. */
    recordConsent(id: string, fields: NewConsent, options?: Options): Promise<Consent> {
        return this.call(contactsRecordConsent, { id }, fields, options);
    }
}

const companiesCreate = operation<Company>("companies.create", false, toCompany, ofNewCompany);
const companiesGet = operation<Company>("companies.get", false, toCompany, {});
const companiesUpdate = operation<Company>("companies.update", false, toCompany, ofCompanyPatch);
const companiesList = operation<Page<Company>>("companies.list", true, toPageOfCompany, ofPaging);

/** The operations of `companies`. */
export class CompaniesOperations extends Namespace {
    /** Make a company. `already_exists` where its name or domain is taken; `invalid`. */
    create(fields: NewCompany, options?: Options): Promise<Company> {
        return this.call(companiesCreate, {}, fields, options);
    }

    /** A company. `not_found`. */
    get(id: string, options?: Options): Promise<Company> {
        return this.call(companiesGet, { id }, undefined, options);
    }

    /**
     * Change a company: what is not given stays, null clears. `not_found`; `already_exists`;
     * `version_conflict`; `invalid`.
     */
    update(id: string, changes: CompanyPatch, options?: Options & { version?: number | null | undefined }): Promise<Company> {
        return this.call(companiesUpdate, { id, version: options?.version }, changes, options);
    }

    /** A page of companies, by name. */
    list(filter?: Paging, options?: Options): Promise<Page<Company>> {
        return this.call(companiesList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: Paging, options?: Options): AsyncIterableIterator<Company> {
        return this.pages(companiesList, {}, filter, options);
    }
}

const activitiesCreate = operation<Activity>("activities.create", false, toActivity, ofNewActivity);
const activitiesCreateAll = operation<readonly Activity[]>("activities.create_all", false, (v) => v.map(toActivity), {}, { activities: ofNewActivity });
const activitiesGet = operation<Activity>("activities.get", false, toActivity, {});
const activitiesList = operation<Page<Activity>>("activities.list", true, toPageOfActivity, ofListActivities);
const activitiesStats = operation<Stats>("activities.stats", true, null, ofCountActivities);

/** The operations of `activities`. */
export class ActivitiesOperations extends Namespace {
    /**
     * Log what happened with a contact. `not_found` where there is no such contact in use; `invalid` for a
     * kind that only the CRM writes, or data of another shape than its kind's.
     */
    create(fields: NewActivity, options?: Options): Promise<Activity> {
        return this.call(activitiesCreate, {}, fields, options);
    }

    /** Log up to 1,000 activities in one commit: all of them or none. */
    createAll(activities: readonly NewActivity[], options?: Options): Promise<readonly Activity[]> {
        return this.call(activitiesCreateAll, { activities }, undefined, options);
    }

    /** An activity. `not_found`. */
    get(id: string, options?: Options): Promise<Activity> {
        return this.call(activitiesGet, { id }, undefined, options);
    }

    /** A page of activities, the newest first; all filters must hold. */
    list(filter?: ListActivities, options?: Options): Promise<Page<Activity>> {
        return this.call(activitiesList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: ListActivities, options?: Options): AsyncIterableIterator<Activity> {
        return this.pages(activitiesList, {}, filter, options);
    }

    /** How many activities there are, by kind, user or day. */
    stats(filter: CountActivities, options?: Options): Promise<Stats> {
        return this.call(activitiesStats, {}, filter, options);
    }
}

const callsStart = operation<Call>("calls.start", false, toCall, ofStartCall);
const callsLog = operation<Call>("calls.log", false, toCall, ofLogCall);
const callsGet = operation<Call>("calls.get", false, toCall, {});
const callsList = operation<Page<Call>>("calls.list", true, toPageOfCall, ofListCalls);
const callsUpdate = operation<Call>("calls.update", false, toCall, ofCallPatch);
const callsHangUp = operation<Call>("calls.hang_up", false, toCall, {});
const callsDeleteRecording = operation<Call>("calls.delete_recording", false, toCall, {});

/** The operations of `calls`. */
export class CallsOperations extends Namespace {
    /**
     * Call a contact. The carrier is asked after the reply; the call's status and events tell what becomes of
     * it. `not_found`; `conflict` where the contact refused to be called or recorded, or the tenant has no
     * number; `invalid`.
     */
    start(fields: StartCall, options?: Options): Promise<Call> {
        return this.call(callsStart, {}, fields, options);
    }

    /** Write down a call that took place elsewhere. */
    log(fields: LogCall, options?: Options): Promise<Call> {
        return this.call(callsLog, {}, fields, options);
    }

    /** A call. `not_found`. */
    get(id: string, options?: Options): Promise<Call> {
        return this.call(callsGet, { id }, undefined, options);
    }

    /** A page of calls, the newest first; all filters must hold. */
    list(filter?: ListCalls, options?: Options): Promise<Page<Call>> {
        return this.call(callsList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: ListCalls, options?: Options): AsyncIterableIterator<Call> {
        return this.pages(callsList, {}, filter, options);
    }

    /** Change what came of a call, or its note. `not_found`; `version_conflict`; `invalid`. */
    update(id: string, changes: CallPatch, options?: Options & { version?: number | null | undefined }): Promise<Call> {
        return this.call(callsUpdate, { id, version: options?.version }, changes, options);
    }

    /** End a call. `not_found`; `conflict` where it is over. */
    hangUp(id: string, options?: Options): Promise<Call> {
        return this.call(callsHangUp, { id }, undefined, options);
    }

    /** Delete a call's recordings here and at the carrier. `not_found`. */
    deleteRecording(id: string, options?: Options): Promise<Call> {
        return this.call(callsDeleteRecording, { id }, undefined, options);
    }
}

const telephonyCreateAccount = operation<TelephonyAccount>("telephony.create_account", false, toTelephonyAccount, ofNewTelephonyAccount);
const telephonyAccounts = operation<readonly TelephonyAccount[]>("telephony.accounts", false, (v) => v.map(toTelephonyAccount), {});
const telephonyUpdateAccount = operation<TelephonyAccount>("telephony.update_account", false, toTelephonyAccount, ofTelephonyAccountPatch);

/** The operations of `telephony`. */
export class TelephonyOperations extends Namespace {
    /** Make an account with a carrier. `invalid`. */
    createAccount(fields: NewTelephonyAccount, options?: Options): Promise<TelephonyAccount> {
        return this.call(telephonyCreateAccount, {}, fields, options);
    }

    /** The accounts with carriers, in the order in which they were made. */
    accounts(options?: Options): Promise<readonly TelephonyAccount[]> {
        return this.call(telephonyAccounts, {}, undefined, options);
    }

    /** Change an account with a carrier. `not_found`; `version_conflict`; `invalid`. */
    updateAccount(id: string, changes: TelephonyAccountPatch, options?: Options & { version?: number | null | undefined }): Promise<TelephonyAccount> {
        return this.call(telephonyUpdateAccount, { id, version: options?.version }, changes, options);
    }
}

const notificationsList = operation<Page<Notification>>("notifications.list", true, toPageOfNotification, ofListNotifications);
const notificationsRead = operation<Notification>("notifications.read", false, toNotification, {});
const notificationsReadAll = operation<Marked>("notifications.read_all", false, null, {});
const notificationsPreferences = operation<NotificationPreferences>("notifications.preferences", false, toNotificationPreferences, {});
const notificationsSetPreferences = operation<NotificationPreferences>("notifications.set_preferences", false, toNotificationPreferences, ofSetNotificationPreferences);
const notificationsBroadcast = operation<Told>("notifications.broadcast", false, null, ofNewBroadcast);
const notificationsPresent = operation<readonly Present[]>("notifications.present", false, (v) => v.map(toPresent), {});

/** The operations of `notifications`. */
export class NotificationsOperations extends Namespace {
    /** A page of one's notifications, the newest first. */
    list(filter?: ListNotifications, options?: Options): Promise<Page<Notification>> {
        return this.call(notificationsList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: ListNotifications, options?: Options): AsyncIterableIterator<Notification> {
        return this.pages(notificationsList, {}, filter, options);
    }

    /** Mark one as read. `not_found`. */
    read(id: string, options?: Options): Promise<Notification> {
        return this.call(notificationsRead, { id }, undefined, options);
    }

    /** Mark all as read. */
    readAll(options?: Options): Promise<Marked> {
        return this.call(notificationsReadAll, {}, undefined, options);
    }

    /** What one wants to be told, and how. */
    preferences(options?: Options): Promise<NotificationPreferences> {
        return this.call(notificationsPreferences, {}, undefined, options);
    }

    /** New preferences in place of those before. `version_conflict`; `invalid`. */
    setPreferences(fields: SetNotificationPreferences, options?: Options & { version?: number | null | undefined }): Promise<NotificationPreferences> {
        return this.call(notificationsSetPreferences, { version: options?.version }, fields, options);
    }

    /** Tell everybody of the tenant, or of a role, something. `forbidden`; `invalid`. */
    broadcast(fields: NewBroadcast, options?: Options): Promise<Told> {
        return this.call(notificationsBroadcast, {}, fields, options);
    }

    /** Who is connected. */
    present(options?: Options): Promise<readonly Present[]> {
        return this.call(notificationsPresent, {}, undefined, options);
    }
}

const usersCreate = operation<CreatedUser>("users.create", false, toCreatedUser, ofNewUser);
const usersGet = operation<User>("users.get", false, toUser, {});
const usersList = operation<Page<User>>("users.list", true, toPageOfUser, ofPaging);
const usersUpdate = operation<User>("users.update", false, toUser, ofUserPatch);
const usersInviteAgain = operation<CreatedUser>("users.invite_again", false, toCreatedUser, {});

/** The operations of `users`. */
export class UsersOperations extends Namespace {
    /**
     * Invite a user. `invitation`, which lets them in, is in this reply and in no other. `forbidden` for a
     * role above one's own; `already_exists` where the address is taken; `invalid`.
     */
    create(fields: NewUser, options?: Options): Promise<CreatedUser> {
        return this.call(usersCreate, {}, fields, options);
    }

    /** A user. `not_found`. */
    get(id: string, options?: Options): Promise<User> {
        return this.call(usersGet, { id }, undefined, options);
    }

    /** A page of users, in the order in which they were made. */
    list(filter?: Paging, options?: Options): Promise<Page<User>> {
        return this.call(usersList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: Paging, options?: Options): AsyncIterableIterator<User> {
        return this.pages(usersList, {}, filter, options);
    }

    /**
     * Change a user's name, role or status. `not_found`; `forbidden`; `conflict` for the last owner;
     * `version_conflict`; `invalid`.
     */
    update(id: string, changes: UserPatch, options?: Options & { version?: number | null | undefined }): Promise<User> {
        return this.call(usersUpdate, { id, version: options?.version }, changes, options);
    }

    /** Invite a user who did not come yet again; the invitation before is void. `not_found`; `conflict`. */
    inviteAgain(id: string, options?: Options): Promise<CreatedUser> {
        return this.call(usersInviteAgain, { id }, undefined, options);
    }
}

const accountMe = operation<Me>("account.me", false, toMe, {});
const accountChangePassword = operation<void>("account.change_password", false, null, ofChangePassword);
const accountSessions = operation<readonly SignInInfo[]>("account.sessions", false, (v) => v.map(toSignInInfo), {});
const accountEndSession = operation<void>("account.end_session", false, null, {});
const accountSignOut = operation<void>("account.sign_out", false, null, {});
const accountStepUp = operation<void>("account.step_up", false, null, ofStepUp);
const accountBeginTotp = operation<NewTotp>("account.begin_totp", false, null, {});
const accountConfirmTotp = operation<RecoveryCodes>("account.confirm_totp", false, toRecoveryCodes, {});
const accountNewRecoveryCodes = operation<RecoveryCodes>("account.new_recovery_codes", false, toRecoveryCodes, {});
const accountRemoveTotp = operation<void>("account.remove_totp", false, null, ofRemoveTotp);

/** The operations of `account`. */
export class AccountOperations extends Namespace {
    /** Who one is, with all that one may do. */
    me(options?: Options): Promise<Me> {
        return this.call(accountMe, {}, undefined, options);
    }

    /** Change the password; all other sessions end. `invalid`; `rate_limited`. */
    changePassword(fields: ChangePassword, options?: Options): Promise<void> {
        return this.call(accountChangePassword, {}, fields, options);
    }

    /** One's sessions that have not ended, the oldest first. */
    sessions(options?: Options): Promise<readonly SignInInfo[]> {
        return this.call(accountSessions, {}, undefined, options);
    }

    /** End one of one's sessions. `not_found`. */
    endSession(id: string, options?: Options): Promise<void> {
        return this.call(accountEndSession, { id }, undefined, options);
    }

    /** End this session, and the one of a refresh token of the same user. */
    signOut(options?: Options & { refreshToken?: string | null | undefined }): Promise<void> {
        return this.call(accountSignOut, { refresh_token: options?.refreshToken }, undefined, options);
    }

    /** Prove again who one is. `unauthenticated`; `invalid`; `rate_limited`. */
    stepUp(fields: StepUp, options?: Options): Promise<void> {
        return this.call(accountStepUp, {}, fields, options);
    }

    /** Begin a second factor; it is in force when a code is confirmed. `step_up_required`; `conflict`. */
    beginTotp(options?: Options): Promise<NewTotp> {
        return this.call(accountBeginTotp, {}, undefined, options);
    }

    /** Confirm the second factor by a code. The recovery codes are in this reply and in no other. */
    confirmTotp(code: string, options?: Options): Promise<RecoveryCodes> {
        return this.call(accountConfirmTotp, { code }, undefined, options);
    }

    /** Take new recovery codes; the old ones are void. */
    newRecoveryCodes(code: string, options?: Options): Promise<RecoveryCodes> {
        return this.call(accountNewRecoveryCodes, { code }, undefined, options);
    }

    /** Go without a second factor. `unauthenticated`; `invalid`; `conflict`; `rate_limited`. */
    removeTotp(fields: RemoveTotp, options?: Options): Promise<void> {
        return this.call(accountRemoveTotp, {}, fields, options);
    }
}

const apiKeysCreate = operation<CreatedApiKey>("api_keys.create", false, toCreatedApiKey, ofNewApiKey);
const apiKeysList = operation<Page<ApiKeyInfo>>("api_keys.list", true, toPageOfApiKeyInfo, ofPaging);
const apiKeysRevoke = operation<void>("api_keys.revoke", false, null, {});

/** The operations of `api keys`. */
export class ApiKeysOperations extends Namespace {
    /**
     * Make an API key. `secret` is in this reply and in no other. `forbidden`; `step_up_required`; `invalid`.
     */
    create(fields: NewApiKey, options?: Options): Promise<CreatedApiKey> {
        return this.call(apiKeysCreate, {}, fields, options);
    }

    /** A page of API keys, also those that are revoked or over. */
    list(filter?: Paging, options?: Options): Promise<Page<ApiKeyInfo>> {
        return this.call(apiKeysList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: Paging, options?: Options): AsyncIterableIterator<ApiKeyInfo> {
        return this.pages(apiKeysList, {}, filter, options);
    }

    /** Revoke an API key. `not_found`. */
    revoke(id: string, options?: Options): Promise<void> {
        return this.call(apiKeysRevoke, { id }, undefined, options);
    }
}

const tenantGet = operation<Tenant>("tenant.get", false, toTenant, {});
const tenantUpdate = operation<Tenant>("tenant.update", false, toTenant, ofTenantPatch);

/** The operations of `tenant`. */
export class TenantOperations extends Namespace {
    /** The tenant. */
    get(options?: Options): Promise<Tenant> {
        return this.call(tenantGet, {}, undefined, options);
    }

    /** Change the tenant's settings. `forbidden`; `version_conflict`; `invalid`. */
    update(changes: TenantPatch, options?: Options & { version?: number | null | undefined }): Promise<Tenant> {
        return this.call(tenantUpdate, { version: options?.version }, changes, options);
    }
}

const jobsList = operation<Page<Job>>("jobs.list", true, toPageOfJob, ofListJobs);
const jobsGet = operation<Job>("jobs.get", false, toJob, {});
const jobsRetry = operation<Job>("jobs.retry", false, toJob, {});
const jobsDiscard = operation<void>("jobs.discard", false, null, {});

/** The operations of `jobs`. */
export class JobsOperations extends Namespace {
    /**
     * A page of the tenant's jobs, the newest first. A job that is done is gone; `dead` are those that were
     * given up.
     */
    list(filter?: ListJobs, options?: Options): Promise<Page<Job>> {
        return this.call(jobsList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: ListJobs, options?: Options): AsyncIterableIterator<Job> {
        return this.pages(jobsList, {}, filter, options);
    }

    /** A job. `not_found` where there is none, or it is done. */
    get(id: string, options?: Options): Promise<Job> {
        return this.call(jobsGet, { id }, undefined, options);
    }

    /** Try a job that was given up again. `not_found`; `conflict`. */
    retry(id: string, options?: Options): Promise<Job> {
        return this.call(jobsRetry, { id }, undefined, options);
    }

    /** Throw a job away. `not_found`; `conflict` while it runs. */
    discard(id: string, options?: Options): Promise<void> {
        return this.call(jobsDiscard, { id }, undefined, options);
    }
}

const auditList = operation<Page<AuditEntry>>("audit.list", true, toPageOfAuditEntry, ofListAudit);

/** The operations of `audit`. */
export class AuditOperations extends Namespace {
    /** A page of who did what to which record, the newest first. */
    list(filter?: ListAudit, options?: Options): Promise<Page<AuditEntry>> {
        return this.call(auditList, {}, filter, options);
    }

    /** All of `list`, one await for each page. */
    iterate(filter?: ListAudit, options?: Options): AsyncIterableIterator<AuditEntry> {
        return this.pages(auditList, {}, filter, options);
    }
}

const tenantsCreate = operation<CreatedTenant>("tenants.create", false, toCreatedTenant, ofNewTenant);
const tenantsGet = operation<Tenant>("tenants.get", false, toTenant, {});
const tenantsList = operation<readonly Tenant[]>("tenants.list", true, (v) => v.map(toTenant), ofListTenants);
const tenantsSetPassword = operation<void>("tenants.set_password", false, null, {});

/** The operations of `tenants`. */
export class TenantsOperations extends Namespace {
    /**
     * Make a tenant and its owner, together or not at all. `already_exists` where the slug is taken;
     * `invalid`.
     */
    create(fields: NewTenant, options?: Options): Promise<CreatedTenant> {
        return this.call(tenantsCreate, {}, fields, options);
    }

    /** The tenant of this slug. `not_found`. */
    get(slug: string, options?: Options): Promise<Tenant> {
        return this.call(tenantsGet, { slug }, undefined, options);
    }

    /** Tenants in the order of their slugs, those after `after`; at most 200 at once. */
    list(filter?: ListTenants, options?: Options): Promise<readonly Tenant[]> {
        return this.call(tenantsList, {}, filter, options);
    }

    /** Give a user another password; all their sessions end. `not_found`; `invalid`. */
    setPassword(tenant: string, user: string, password: string, options?: Options): Promise<void> {
        return this.call(tenantsSetPassword, { tenant, user, password }, undefined, options);
    }
}

const identityRegister = operation<Registered>("identity.register", false, toRegistered, ofRegistration);
const identitySignIn = operation<SignedIn>("identity.sign_in", false, toSignedIn, ofPasswordSignIn);
const identityRefresh = operation<Tokens>("identity.refresh", false, toTokens, {});
const identityAcceptInvitation = operation<SignedIn>("identity.accept_invitation", false, toSignedIn, ofAcceptInvitation);
const identityKeySet = operation<Json>("identity.key_set", false, null, {});

/** The operations of `identity`. */
export class IdentityOperations extends Namespace {
    /**
     * Make a tenant and its owner, who comes in at once. `invalid`; `rate_limited`; `forbidden` where
     * registration is closed.
     */
    register(fields: Registration, options?: Options): Promise<Registered> {
        return this.call(identityRegister, {}, fields, options);
    }

    /** Come in by password. `unauthenticated`; `second_factor_required`; `rate_limited`. */
    signIn(fields: PasswordSignIn, options?: Options): Promise<SignedIn> {
        return this.call(identitySignIn, {}, fields, options);
    }

    /** New tokens for a refresh token, which is void then. `unauthenticated`; `token_reused`. */
    refresh(refreshToken: string, options?: Options): Promise<Tokens> {
        return this.call(identityRefresh, { refresh_token: refreshToken }, undefined, options);
    }

    /** Come in by an invitation. `unauthenticated`; `invalid`. */
    acceptInvitation(fields: AcceptInvitation, options?: Options): Promise<SignedIn> {
        return this.call(identityAcceptInvitation, {}, fields, options);
    }

    /** The public keys of access tokens (RFC 7517), for services that verify them. */
    keySet(options?: Options): Promise<Json> {
        return this.call(identityKeySet, {}, undefined, options);
    }
}

/** What a session has of operations alone. */
export class SessionNamespaces {
    protected readonly caller: Caller;
    #companies: CompaniesOperations | undefined;
    #activities: ActivitiesOperations | undefined;
    #telephony: TelephonyOperations | undefined;
    #notifications: NotificationsOperations | undefined;
    #users: UsersOperations | undefined;
    #account: AccountOperations | undefined;
    #apiKeys: ApiKeysOperations | undefined;
    #tenant: TenantOperations | undefined;
    #jobs: JobsOperations | undefined;
    #audit: AuditOperations | undefined;

    /** @internal */
    constructor(caller: Caller) {
        this.caller = caller;
    }

    /** The operations of `companies`. */
    get companies(): CompaniesOperations {
        return (this.#companies ??= new CompaniesOperations(this.caller));
    }

    /** The operations of `activities`. */
    get activities(): ActivitiesOperations {
        return (this.#activities ??= new ActivitiesOperations(this.caller));
    }

    /** The operations of `telephony`. */
    get telephony(): TelephonyOperations {
        return (this.#telephony ??= new TelephonyOperations(this.caller));
    }

    /** The operations of `notifications`. */
    get notifications(): NotificationsOperations {
        return (this.#notifications ??= new NotificationsOperations(this.caller));
    }

    /** The operations of `users`. */
    get users(): UsersOperations {
        return (this.#users ??= new UsersOperations(this.caller));
    }

    /** The operations of `account`. */
    get account(): AccountOperations {
        return (this.#account ??= new AccountOperations(this.caller));
    }

    /** The operations of `apiKeys`. */
    get apiKeys(): ApiKeysOperations {
        return (this.#apiKeys ??= new ApiKeysOperations(this.caller));
    }

    /** The operations of `tenant`. */
    get tenant(): TenantOperations {
        return (this.#tenant ??= new TenantOperations(this.caller));
    }

    /** The operations of `jobs`. */
    get jobs(): JobsOperations {
        return (this.#jobs ??= new JobsOperations(this.caller));
    }

    /** The operations of `audit`. */
    get audit(): AuditOperations {
        return (this.#audit ??= new AuditOperations(this.caller));
    }
}

/** What a session has of operations alone. Each waits on the caller's thread. */
export interface SessionBlocking {
    /** The operations of `companies`. */
    readonly companies: Blocking<CompaniesOperations>;
    /** The operations of `activities`. */
    readonly activities: Blocking<ActivitiesOperations>;
    /** The operations of `telephony`. */
    readonly telephony: Blocking<TelephonyOperations>;
    /** The operations of `notifications`. */
    readonly notifications: Blocking<NotificationsOperations>;
    /** The operations of `users`. */
    readonly users: Blocking<UsersOperations>;
    /** The operations of `account`. */
    readonly account: Blocking<AccountOperations>;
    /** The operations of `apiKeys`. */
    readonly apiKeys: Blocking<ApiKeysOperations>;
    /** The operations of `tenant`. */
    readonly tenant: Blocking<TenantOperations>;
    /** The operations of `jobs`. */
    readonly jobs: Blocking<JobsOperations>;
    /** The operations of `audit`. */
    readonly audit: Blocking<AuditOperations>;
}

/** What the host has of operations alone. */
export class CrmNamespaces {
    protected readonly caller: Caller;
    #tenants: TenantsOperations | undefined;
    #identity: IdentityOperations | undefined;

    /** @internal */
    constructor(caller: Caller) {
        this.caller = caller;
    }

    /** The operations of `tenants`. */
    get tenants(): TenantsOperations {
        return (this.#tenants ??= new TenantsOperations(this.caller));
    }

    /** The operations of `identity`. */
    get identity(): IdentityOperations {
        return (this.#identity ??= new IdentityOperations(this.caller));
    }
}

/** What the host has of operations alone. Each waits on the caller's thread. */
export interface CrmBlocking {
    /** The operations of `tenants`. */
    readonly tenants: Blocking<TenantsOperations>;
    /** The operations of `identity`. */
    readonly identity: Blocking<IdentityOperations>;
}
