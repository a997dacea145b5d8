//! One example of each body, by the name of its schema.

use axum::http::StatusCode;
use serde_json::{Value, json};

const ID: &str = "018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f";
const OTHER_ID: &str = "018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e10";
const AT: &str = "2026-03-01T09:30:00Z";
const SECRET: &str = "crmk_AY9MLnsafD2eT1prfI2eDwGPTC57Gnw9nk9aa3yNng8";

/// The example of the body with this schema.
pub(super) fn of(name: &str) -> Option<Value> {
    if let Some(item) = name.strip_prefix("PageOf_for_") {
        return Some(json!({ "items": [of(item)?], "next_cursor": null }));
    }
    Some(match name {
        "NewContact" => json!({
            "first_name": "Ada",
            "last_name": "Lovelace",
            "company": "Analytical Engines Ltd",
            "emails": [{ "address": "ada@example.com", "label": "work" }],
            "phones": [{ "raw": "+44 20 7946 0958" }],
            "tags": ["customer"],
            "custom": { "tier": "gold" },
        }),
        "ContactPatch" => json!({ "title": "Analyst", "company": null }),
        "Contact" => contact(),
        "ContactPage" => json!({ "items": [contact()], "next_cursor": null, "total": 1 }),
        "SearchHit" => json!({ "contact": contact(), "score": 0.75 }),
        "ImportReport" => json!({
            "created": 1,
            "updated": 0,
            "skipped": 0,
            "failed": 1,
            "errors": [{
                "row": 3,
                "field": "emails[0].address",
                "code": "invalid_email",
                "message": "`charles@` is not an e-mail address; one looks like `ada@example.com`",
            }],
            "errors_omitted": 0,
            "warnings": [],
        }),
        "Ticket" => {
            json!({ "ticket": "1.V4lfDnw69N0iLz9RQiT9mc3iruJBbkK71M51J5Nc43c", "expires_in": 30 })
        }
        "PresentUsers" => json!({ "items": [{ "user_id": ID, "connections": 2 }] }),
        "Notification" => json!({
            "id": ID,
            "user_id": OTHER_ID,
            "kind": "assigned",
            "title": "A contact was assigned to you",
            "body": "Ada Lovelace",
            "data": { "contact_id": OTHER_ID },
            "count": 1,
            "created_at": AT,
            "delivered_at": AT,
            "read_at": null,
            "version": 2,
        }),
        "Marked" => json!({ "read": 3 }),
        "NewBroadcast" => json!({
            "title": "We are closed on Friday",
            "body": "The office opens again on Monday.",
            "to": "everybody",
        }),
        "Told" => json!({ "recipients": 12 }),
        "SetNotificationPreferences" => json!({
            "channels": { "call_ended": { "email": false } },
            "quiet_hours": { "from": "22:00", "to": "07:00", "zone": "Europe/Berlin" },
        }),
        "NotificationPreferences" => json!({
            "user_id": ID,
            "channels": { "call_ended": { "email": false } },
            "quiet_hours": { "from": "22:00", "to": "07:00", "zone": "Europe/Berlin" },
            "version": 1,
        }),
        "NewCompany" => {
            json!({ "name": "Analytical Engines Ltd", "domain": "engines.example" })
        }
        "CompanyPatch" => json!({ "domain": "analytical.example" }),
        "Company" => json!({
            "id": ID,
            "name": "Analytical Engines Ltd",
            "domain": "engines.example",
            "created_at": AT,
            "updated_at": AT,
            "version": 1,
        }),
        "NewActivity" => json!({
            "contact_id": ID,
            "kind": "call",
            "subject": "About the engine",
            "data": { "direction": "outbound", "duration_seconds": 240 },
        }),
        "Activity" => json!({
            "id": OTHER_ID,
            "contact_id": ID,
            "kind": "call",
            "occurred_at": AT,
            "user_id": OTHER_ID,
            "subject": "About the engine",
            "body": null,
            "data": {
                "direction": "outbound",
                "number": null,
                "duration_seconds": 240,
                "disposition": null,
                "status": null,
                "call_id": null,
            },
            "created_at": AT,
        }),
        "Stats" => json!({ "groups": [{ "key": "call", "count": 1 }], "total": 1 }),
        "StartCall" => json!({ "contact_id": ID, "record": true }),
        "LogCall" => json!({
            "contact_id": ID,
            "direction": "outbound",
            "duration_seconds": 240,
            "disposition": "reached",
            "note": "Wants an offer",
        }),
        "CallPatch" => json!({ "disposition": "call_back", "note": null }),
        "Call" => call(),
        "NewTelephonyAccount" => json!({
            "provider": "simulator",
            "name": "demo",
            "secrets": { "auth_tokens": ["f1d2d2f924e986ac86fdf7b36c94bcdf"] },
            "numbers": ["+14255550100"],
            "greeting": "Thank you for calling",
        }),
        "TelephonyAccountPatch" => json!({ "numbers": ["+14255550100"], "active": true }),
        "TelephonyAccount" => telephony_account(),
        "TelephonyAccounts" => json!({ "items": [telephony_account()] }),
        "NewConsent" => {
            json!({ "purpose": "recording", "granted": true, "source": "asked on the phone" })
        }
        "Consent" => consent(),
        "Consents" => json!({ "items": [consent()] }),
        "Job" => job(),
        "NewUser" => {
            json!({ "email": "grace@example.com", "full_name": "Grace Hopper", "role": "agent" })
        }
        "UserPatch" => json!({ "full_name": "Grace B. Hopper" }),
        "User" => user(),
        "NewApiKey" => {
            json!({ "name": "nightly export", "role": "agent", "scopes": ["contacts:read"] })
        }
        "ApiKeyInfo" => api_key(None),
        "CreatedApiKey" => api_key(Some(SECRET)),
        "AuditEntry" => json!({
            "id": OTHER_ID,
            "at": AT,
            "actor": format!("user:{OTHER_ID}"),
            "action": "contact.updated",
            "resource": { "kind": "contact", "id": ID },
            "request_id": "f3b1c2d4",
            "fields": ["title"],
        }),
        "Registration" => json!({
            "company_name": "Acme GmbH",
            "full_name": "Grace Hopper",
            "email": "grace@example.com",
            "password": "seven lanterns by the quay",
            "default_region": "DE",
        }),
        "Registered" => with(tokens(), &[("tenant", tenant()), ("user", user())]),
        "PasswordSignIn" => {
            json!({ "email": "grace@example.com", "password": "seven lanterns by the quay" })
        }
        "SignedIn" => with(tokens(), &[("user", user())]),
        "Refresh" | "Logout" => json!({ "refresh_token": "crmr_AY9MLnsafD2eT1prfI2eDw" }),
        "Tokens" => tokens(),
        "ChangePassword" => json!({
            "current_password": "seven lanterns by the quay",
            "new_password": "eight kettles on the stove",
        }),
        "Me" => json!({
            "user": user(),
            "tenant": tenant(),
            "role": "owner",
            "permissions": ["contacts:read"],
            "session": session(),
            "second_factor": false,
            "recovery_codes_left": 0,
        }),
        "Sessions" => json!({ "items": [session()] }),
        "Tenant" => tenant(),
        "TenantPatch" => json!({ "default_region": "DE" }),
        "CreatedUser" => with(user(), &[("invitation", "crmi_AY9MLnsafD2eT1prfI2eDw".into())]),
        "AcceptInvitation" => json!({
            "invitation": "crmi_AY9MLnsafD2eT1prfI2eDw",
            "password": "seven lanterns by the quay",
        }),
        "StepUp" => json!({ "password": "seven lanterns by the quay" }),
        "NewTotp" => json!({
            "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "uri": "otpauth://totp/Acme:grace?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        }),
        "Code" => json!({ "code": "123456" }),
        "RemoveTotp" => json!({ "password": "seven lanterns by the quay", "code": "123456" }),
        "RecoveryCodes" => json!({ "recovery_codes": ["jbsw-y3dp-ehpk-3pxp-jbsw-y3dp-eh"] }),
        "Exchange" => json!({
            "code": "crm1.c29tZXRoaW5n",
            "verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        }),
        "Health" => json!({
            "status": "ok",
            "checks": [
                { "name": "store", "status": "ok", "latency_ms": 0.4 },
                { "name": "recordings", "status": "ok", "latency_ms": 0.1 },
            ],
        }),
        "KeySet" => json!({
            "keys": [{
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": "k1",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }],
        }),
        _ => return None,
    })
}

/// The example of a problem with this status.
pub(super) fn problem(status: StatusCode) -> Value {
    let (code, detail) = match status.as_u16() {
        400 => ("malformed", "`limit`: a page has 1 to 200 items"),
        401 => {
            ("unauthenticated", "send `Authorization: Bearer` with an access token or an API key")
        }
        403 => ("forbidden", "the role `viewer` may not `contacts:create`; it takes `agent`"),
        404 => ("not_found", "there is no such contact"),
        409 => ("already_exists", "another contact has the e-mail `ada@example.com`"),
        412 => (
            "version_conflict",
            "the contact is at version 2, not 1; read it again and repeat the change",
        ),
        413 => ("payload_too_large", "the body has more than 1048576 bytes, or was cut off"),
        415 => (
            "unsupported_media_type",
            "the body must be JSON; say so by `Content-Type: application/json`",
        ),
        416 => ("range_not_satisfiable", "the recording has no such bytes"),
        422 => ("invalid", "`ada@` is not an e-mail address; one looks like `ada@example.com`"),
        429 => ("rate_limited", "too many attempts; try again later"),
        503 => ("unavailable", "the storage cannot be reached"),
        _ => ("internal", "an internal error occurred"),
    };
    let errors = match status.as_u16() {
        422 => {
            json!([{ "field": "emails[0].address", "code": "invalid_email", "message": detail }])
        }
        _ => json!([]),
    };
    json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "request_id": "f3b1c2d4",
        "errors": errors,
    })
}

fn contact() -> Value {
    json!({
        "id": ID,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "display_name": "Ada Lovelace",
        "company": "Analytical Engines Ltd",
        "company_id": null,
        "title": null,
        "emails": [{ "address": "ada@example.com", "label": "work" }],
        "phones": [{ "number": "+442079460958", "raw": "+44 20 7946 0958", "label": null }],
        "addresses": [],
        "tags": ["customer"],
        "custom": { "tier": "gold" },
        "owner_id": null,
        "source": null,
        "created_at": AT,
        "updated_at": AT,
        "deleted_at": null,
        "version": 1,
    })
}

fn call() -> Value {
    json!({
        "id": OTHER_ID,
        "contact_id": ID,
        "user_id": OTHER_ID,
        "direction": "outbound",
        "from": "+14255550100",
        "to": "+442079460958",
        "status": "completed",
        "placement": "placed",
        "disposition": null,
        "provider": "simulator",
        "provider_call_id": "SIM1",
        "started_at": AT,
        "answered_at": AT,
        "ended_at": AT,
        "duration_seconds": 10,
        "answered_by": "human",
        "price": null,
        "failure": null,
        "recording_consent": { "granted": true, "consent_id": ID, "at": AT },
        "has_recording": true,
        "recording_expires_at": AT,
        "note": null,
        "activity_id": ID,
        "created_at": AT,
        "updated_at": AT,
        "version": 5,
    })
}

fn telephony_account() -> Value {
    json!({
        "id": ID,
        "provider": "simulator",
        "name": "demo",
        "numbers": ["+14255550100"],
        "connect_to": null,
        "greeting": "Thank you for calling",
        "options": {},
        "active": true,
        "created_at": AT,
        "updated_at": AT,
        "version": 1,
    })
}

fn consent() -> Value {
    json!({
        "id": OTHER_ID,
        "contact_id": ID,
        "purpose": "recording",
        "granted": true,
        "source": "asked on the phone",
        "user_id": OTHER_ID,
        "at": AT,
    })
}

fn job() -> Value {
    json!({
        "id": ID,
        "kind": "crm.recording.fetch",
        "payload": { "call_id": ID, "recording": "RE1" },
        "state": "dead",
        "priority": 0,
        "run_at": AT,
        "attempts": 16,
        "max_attempts": 16,
        "unique_key": null,
        "failure": "unavailable: the recording is not there yet",
        "request_id": "f3b1c2d4",
        "created_at": AT,
    })
}

fn user() -> Value {
    json!({
        "id": OTHER_ID,
        "email": "grace@example.com",
        "full_name": "Grace Hopper",
        "role": "agent",
        "status": "active",
        "session_epoch": 0,
        "created_at": AT,
        "updated_at": AT,
        "version": 1,
    })
}

fn tenant() -> Value {
    json!({
        "id": ID,
        "name": "Acme GmbH",
        "slug": "acme-gmbh",
        "default_region": "DE",
        "join_domains": [],
        "join_role": "viewer",
        "dispositions": ["reached", "call_back"],
        "recording_days": 90,
        "created_at": AT,
        "version": 1,
    })
}

fn api_key(secret: Option<&str>) -> Value {
    let key = json!({
        "id": ID,
        "name": "nightly export",
        "role": "agent",
        "scopes": ["contacts:read"],
        "created_by": OTHER_ID,
        "created_at": AT,
        "expires_at": null,
        "last_used_at": null,
        "revoked_at": null,
        "version": 1,
    });
    match secret {
        Some(secret) => with(key, &[("secret", secret.into())]),
        None => key,
    }
}

fn tokens() -> Value {
    json!({
        "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMThmIn0.c2lnbmF0dXJl",
        "refresh_token": "crmr_AY9MLnsafD2eT1prfI2eDw",
        "token_type": "Bearer",
        "expires_in": 300,
    })
}

fn session() -> Value {
    json!({
        "id": ID,
        "method": "password",
        "created_at": AT,
        "refreshed_at": AT,
        "expires_at": AT,
        "user_agent": "curl/8.5.0",
        "address": "203.0.113.7",
        "current": true,
    })
}

fn with(mut object: Value, more: &[(&str, Value)]) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    }
    object
}
