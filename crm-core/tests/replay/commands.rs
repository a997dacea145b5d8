//! What people do, drawn from small sets of values so that it meets.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// One command; a number means one of the records made so far, counted round. Values are in the API's notation.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Seconds go by, and what is due is done.
    Tick(u64),
    PatchTenant(Value),
    CreateUser(Value),
    PatchUser(usize, Value),
    CreateApiKey(Value),
    UseApiKey(usize),
    RevokeApiKey(usize),
    CreateCompany(Value),
    PatchCompany(usize, Value),
    CreateContact(Value),
    PatchContact(usize, Value),
    DeleteContact(usize),
    RestoreContact(usize),
    /// Of the contact, with its name in the place of the id.
    Log(usize, Value),
    Consent(usize, Value),
    CreateAccount(&'static str),
    PatchAccount(usize, Value),
    StartCall(usize, bool),
    CallIn(&'static str),
    LogCall(usize, Value),
    PatchCall(usize, Value),
    HangUp(usize),
    HearRecording(usize),
    DeleteRecording(usize),
    Schedule(&'static str, &'static str),
    /// The owner signs in, is wrong once, goes on, proves themselves and signs out.
    SignIn,
    /// Somebody says this to everybody.
    Broadcast(&'static str),
    /// The owner reads one of their notifications.
    ReadNotification(usize),
    Prefer(Value),
    Import,
    /// A job dies, is tried again, dies again and is given up.
    Die,
}

fn object(fields: &'static [(&'static str, Vec<Value>)]) -> BoxedStrategy<Value> {
    let some = fields.iter().map(|(name, values)| {
        proptest::option::weighted(0.4, select(values.clone()))
            .prop_map(move |value| value.map(|value| ((*name).to_owned(), value)))
    });
    let some: Vec<_> = some.collect();
    some.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())).boxed()
}

/// A set of fields, each with the values that it can have.
macro_rules! fields {
    ($($name:ident: $($value:tt)|+;)*) => {{
        static FIELDS: std::sync::LazyLock<Vec<(&'static str, Vec<Value>)>> =
            std::sync::LazyLock::new(|| vec![$((stringify!($name), vec![$(json!($value)),+]),)*]);
        object(&FIELDS)
    }};
}

/// `fixed` with the fields of `drawn`.
fn with(fixed: Value, drawn: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    drawn
        .prop_map(move |drawn| {
            let mut all = fixed.clone();
            all.as_object_mut().unwrap().extend(drawn.as_object().unwrap().clone());
            all
        })
        .boxed()
}

fn contact_fields() -> BoxedStrategy<Value> {
    fields! {
        first_name: "Ada" | "Zoë" | null;
        last_name: "Lovelace" | null;
        display_name: "The Countess" | null;
        company: "Initech" | null;
        title: "Dr." | null;
        emails: [{ "address": "ada@example.com", "label": "work" }] | [{ "address": "bob@example.com" }] | [];
        phones: [{ "raw": "425 555 0123" }] | [{ "raw": "425 555 0102", "label": "home" }];
        addresses: [{ "street": "1 Main St", "city": "Bellevue" }] | [];
        tags: ["vip", "émile 🦀"] | [];
        custom: { "size": 3 } | { "size": 4.5, "vip": true };
        source: "fair" | null;
    }
}

pub(crate) fn commands() -> impl Strategy<Value = Command> {
    let nth = || 0..6_usize;
    let tenant = fields! {
        name: "Acme" | "Acme GmbH" | "";
        default_region: "DE" | "US";
        join_domains: ["acme.example"] | [];
        join_role: "agent" | null;
        dispositions: ["reached", "sold"] | null;
        recording_days: 1 | 30 | null;
    };
    let user = fields! {
        full_name: "Grace" | "Hopper";
        role: "admin" | "agent" | "viewer";
        status: "active" | "disabled";
    };
    let key = with(
        json!({ "name": "program", "role": "agent", "scopes": ["contacts:read"] }),
        fields! { expires_at: "2099-01-01T00:00:00Z" | null; role: "admin" | "viewer"; },
    );
    let company =
        || fields! { name: "Initech" | "Ärzte & Söhne"; domain: "a.example" | "b.example" | null; };
    let new_contact = with(json!({ "last_name": "Called" }), contact_fields());
    let activity = with(
        json!({ "kind": "note" }),
        fields! {
            kind: "email" | "task" | "meeting" | "call" | "sms";
            subject: "hello" | "🦀";
            body: "nul \u{0} and 🦀" | "";
            occurred_at: "2020-01-01T00:00:00Z" | null;
        },
    );
    let consent = with(
        json!({ "purpose": "recording", "granted": true }),
        fields! { purpose: "calls"; granted: false; source: "asked" | null; },
    );
    let account = fields! {
        active: true | false;
        greeting: "Hello" | null;
        connect_to: "+14255550199" | null;
        numbers: ["+14255550100"] | ["+14255550100", "+14255550101"];
        options: { "edge": "dublin" } | {};
        secrets: { "auth_tokens": ["new"] } | { "auth_tokens": ["secret"] };
    };
    let logged = with(
        json!({ "direction": "outbound" }),
        fields! {
            direction: "inbound";
            status: "busy" | "no_answer" | "completed";
            duration_seconds: 60 | 0 | null;
            disposition: "reached" | null;
            note: "wants an offer" | null;
        },
    );
    let call = fields! { disposition: "reached" | "sold" | null; note: "a note" | null; };
    prop_oneof![
        6 => select(&[0_u64, 1, 5, 20, 60, 600, 91 * 86_400][..]).prop_map(Command::Tick),
        1 => tenant.prop_map(Command::PatchTenant),
        1 => select(&["a@acme.example", "b@acme.example"][..])
            .prop_map(|email| Command::CreateUser(json!({ "email": email, "role": "agent" }))),
        2 => (nth(), user).prop_map(|(at, patch)| Command::PatchUser(at, patch)),
        1 => key.prop_map(Command::CreateApiKey),
        1 => nth().prop_map(Command::UseApiKey),
        1 => nth().prop_map(Command::RevokeApiKey),
        1 => with(json!({ "name": "Acme" }), company()).prop_map(Command::CreateCompany),
        2 => (nth(), company()).prop_map(|(at, patch)| Command::PatchCompany(at, patch)),
        3 => new_contact.prop_map(Command::CreateContact),
        4 => (nth(), contact_fields()).prop_map(|(at, patch)| Command::PatchContact(at, patch)),
        2 => nth().prop_map(Command::DeleteContact),
        2 => nth().prop_map(Command::RestoreContact),
        2 => select(&["Lunch", "Cake"][..]).prop_map(Command::Broadcast),
        2 => nth().prop_map(Command::ReadNotification),
        1 => any::<bool>().prop_map(|on| Command::Prefer(preferences(on))),
        1 => Just(Command::Import),
        2 => (nth(), activity).prop_map(|(at, new)| Command::Log(at, new)),
        3 => (nth(), consent).prop_map(|(at, new)| Command::Consent(at, new)),
        2 => select(&["one", "two"][..]).prop_map(Command::CreateAccount),
        1 => (nth(), account).prop_map(|(at, patch)| Command::PatchAccount(at, patch)),
        4 => (nth(), any::<bool>()).prop_map(|(at, record)| Command::StartCall(at, record)),
        2 => select(&["+14255550123", "+14255550102", "+14255550777"][..])
            .prop_map(Command::CallIn),
        2 => (nth(), logged).prop_map(|(at, new)| Command::LogCall(at, new)),
        2 => (nth(), call).prop_map(|(at, patch)| Command::PatchCall(at, patch)),
        1 => nth().prop_map(Command::HangUp),
        2 => nth().prop_map(Command::HearRecording),
        1 => nth().prop_map(Command::DeleteRecording),
        1 => (select(&["daily", "weekly"][..]), select(&["0 0 * * *", "0 0 * * 1"][..]))
            .prop_map(|(name, cron)| Command::Schedule(name, cron)),
    ]
}

/// What there is before commands are drawn: a contact who can be called and recorded.
pub(crate) fn beginning() -> Vec<Command> {
    let contact = json!({ "last_name": "Called", "phones": [{ "raw": "425 555 0123" }] });
    vec![
        Command::CreateContact(contact),
        Command::Consent(0, json!({ "purpose": "recording", "granted": true })),
        Command::CreateAccount("one"),
    ]
}

/// A course of commands that meets every event.
pub(crate) fn course() -> Vec<Command> {
    let contact = json!({ "last_name": "Called", "phones": [{ "raw": "425 555 0123" }] });
    vec![
        Command::PatchTenant(json!({ "name": "Acme Inc.", "recording_days": null })),
        Command::CreateUser(json!({ "email": "a@acme.example", "role": "agent" })),
        Command::PatchUser(1, json!({ "full_name": "Grace", "status": "disabled" })),
        Command::SignIn,
        Command::CreateApiKey(json!({
            "name": "program", "role": "agent", "scopes": ["contacts:read"],
        })),
        Command::UseApiKey(0),
        Command::RevokeApiKey(0),
        Command::CreateCompany(json!({ "name": "Acme" })),
        Command::PatchCompany(0, json!({ "domain": "a.example" })),
        Command::CreateContact(contact),
        Command::PatchContact(0, json!({ "title": "Dr.", "tags": ["vip"] })),
        Command::DeleteContact(0),
        Command::RestoreContact(0),
        Command::Log(0, json!({ "kind": "note", "body": "hello" })),
        Command::Consent(0, json!({ "purpose": "recording", "granted": true })),
        Command::CreateAccount("one"),
        Command::PatchAccount(0, json!({ "greeting": "Hello" })),
        Command::LogCall(0, json!({ "direction": "inbound" })),
        Command::CallIn("+14255550123"),
        Command::Tick(20),
        Command::StartCall(0, true),
        Command::Tick(0),
        Command::Tick(5),
        Command::Tick(60),
        Command::Tick(60),
        Command::Tick(1),
        Command::HearRecording(0),
        Command::HearRecording(1),
        Command::HearRecording(2),
        Command::DeleteRecording(0),
        Command::DeleteRecording(1),
        Command::DeleteRecording(2),
        Command::Schedule("daily", "0 0 * * *"),
        Command::Tick(2 * 86_400),
        Command::Broadcast("Lunch"),
        Command::ReadNotification(0),
        Command::Prefer(preferences(false)),
        Command::Broadcast("Cake"),
        Command::Import,
        Command::Tick(1),
        Command::Die,
    ]
}

fn preferences(mentions: bool) -> Value {
    json!({
        "channels": { "mention": { "in_app": mentions } },
        "quiet_hours": { "from": "22:00", "to": "07:00", "zone": "Europe/Berlin" },
    })
}
