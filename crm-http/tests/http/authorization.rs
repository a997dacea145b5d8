//! Who may call what, asked of every operation that the document has.

use axum::body::Body;
use crm_core::Role;
use crm_core::access::key_scopes;
use crm_core::activities::NewActivity;
use crm_core::companies::NewCompany;
use crm_core::identity::{NewApiKey, NewUser};
use crm_core::jobs::NewJob;
use serde_json::{Value, json};

use crate::support::{Acme, Operation, Reply, Server, operations};

/// A tenant that has one record of each kind.
struct World {
    server: Server,
    acme: Acme,
    contact: String,
    deleted: String,
    company: String,
    activity: String,
    user: String,
    key: String,
    line: String,
    call: String,
    job: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::new().await;
        let acme = server.acme().await;
        let contact = acme.contact("ada").await.id;
        let deleted = acme.contact("charles").await.id;
        acme.session.contacts().delete(deleted, None).await.unwrap();
        let company = NewCompany { name: "Acme".to_owned(), domain: None };
        let company = acme.session.companies().create(company).await.unwrap().id;
        let note = NewActivity::note(contact, "hello");
        let activity = acme.session.activities().create(note).await.unwrap().id;
        let user =
            NewUser { email: "viewer@example.com".to_owned(), full_name: None, role: Role::Viewer };
        let user = acme.session.users().create(user).await.unwrap().user.id;
        let key = key(&acme, &["contacts:read"]).await.0;
        let line = acme.line().await;
        let call = acme.call().await.id;
        server.pass(30).await;
        let job = NewJob::new("test.work", &()).unwrap();
        let job = acme.session.jobs().enqueue(job).await.unwrap().id;
        World {
            server,
            contact: contact.to_string(),
            deleted: deleted.to_string(),
            company: company.to_string(),
            activity: activity.to_string(),
            user: user.to_string(),
            acme,
            key,
            line: line.to_string(),
            call: call.to_string(),
            job: job.to_string(),
        }
    }

    /// The operation as the document's example has it, with records that are there.
    async fn call(&self, operation: Operation, token: &str) -> Reply {
        let id = match operation.path.split('/').nth(1).unwrap() {
            "contacts" if operation.id() == "restore_contact" => self.deleted.clone(),
            "contacts" => self.contact.clone(),
            "companies" => self.company.clone(),
            "activities" => self.activity.clone(),
            "users" => self.user.clone(),
            "api-keys" => self.key.clone(),
            "telephony" => self.line.clone(),
            "calls" => self.call.clone(),
            "jobs" => self.job.clone(),
            "auth" if operation.path.contains("{id}") && !token.is_empty() => {
                let me = self.server.get("/auth/me", token).await.json();
                me["session"]["id"].as_str().unwrap_or(&self.contact).to_owned()
            }
            _ => self.contact.clone(),
        };
        let query = match operation.id() {
            "search_contacts" => "?q=ada",
            "export_contacts" => "?format=csv",
            "count_activities" => "?group_by=kind",
            _ => "",
        };
        let path = operation.path.replace("{id}", &id) + query;
        let method = operation.method.to_uppercase();
        match operation.body() {
            None => self.server.send(&method, &path, token, &[], Body::empty()).await,
            Some((media, example)) => {
                let mut example = example.clone();
                if example["contact_id"].is_string() {
                    example["contact_id"] = json!(self.contact);
                }
                let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
                let headers = [("content-type", media)];
                self.server.send(&method, &path, token, &headers, text.into()).await
            }
        }
    }
}

/// The id and the secret of an API key that may do all of this.
async fn key(acme: &Acme, scopes: &[&str]) -> (String, String) {
    let new = NewApiKey {
        name: "program".to_owned(),
        role: Role::Owner,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        expires_at: None,
    };
    let made = acme.session.api_keys().create(new).await.unwrap();
    (made.api_key.id.to_string(), made.secret.reveal().to_owned())
}

fn least_of(operation: Operation) -> Role {
    operation.says["x-least-role"].as_str().unwrap().parse().unwrap()
}

fn refusal(reply: &Reply) -> Option<String> {
    let status = reply.status.as_u16();
    let refused = matches!(status, 401 | 403);
    refused.then(|| format!("{status} {}", reply.json()["code"]))
}

fn closed_operations() -> impl Iterator<Item = Operation> {
    let all = operations().into_iter();
    let closed = all.filter(|operation| !operation.is_public());
    closed.inspect(|operation| {
        assert!(operation.permission().is_some(), "{}: for whom?", operation.id());
    })
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token() {
    let world = World::new().await;
    for operation in closed_operations() {
        for token in ["", "crmk_nonsense", "eyJhbGciOiJub25lIn0.e30."] {
            world.call(operation, token).await.problem(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn roles_below_the_least_are_refused() {
    let world = World::new().await;
    for role in [Role::Viewer, Role::Agent, Role::Admin] {
        let token = world.server.person(&world.acme, role).await;
        for operation in closed_operations().filter(|of| !role.includes(least_of(*of))) {
            let reply = world.call(operation, &token).await;
            assert_eq!(refusal(&reply).as_deref(), Some("403 \"forbidden\""), "{}", operation.id());
        }
    }
}

#[tokio::test]
async fn the_least_role_is_enough() {
    for operation in closed_operations() {
        let world = World::new().await;
        let token = world.server.person(&world.acme, least_of(operation)).await;
        let reply = world.call(operation, &token).await;
        assert_eq!(refusal(&reply), None, "{}: {}", operation.id(), reply.text());
        assert!(reply.status.as_u16() < 500, "{}", operation.id());
    }
}

#[tokio::test]
async fn an_api_key_may_do_what_its_scopes_say_and_no_more() {
    let world = World::new().await;
    for operation in closed_operations() {
        let permission = operation.permission().unwrap();
        let others: Vec<&str> = key_scopes().filter(|scope| *scope != permission).collect();
        let (_, secret) = key(&world.acme, &others).await;
        let reply = world.call(operation, &secret).await;
        assert_eq!(refusal(&reply).as_deref(), Some("403 \"forbidden\""), "{}", operation.id());
    }
    for operation in closed_operations() {
        let permission = operation.permission().unwrap();
        if key_scopes().any(|scope| scope == permission) {
            let world = World::new().await;
            let (_, secret) = key(&world.acme, &[permission]).await;
            let reply = world.call(operation, &secret).await;
            assert_eq!(refusal(&reply), None, "{}: {}", operation.id(), reply.text());
        }
    }
}

#[tokio::test]
async fn public_operations_ask_for_no_token() {
    let world = World::new().await;
    let public = operations().into_iter().filter(Operation::is_public);
    for operation in public.filter(|of| !of.path.contains("{provider}")) {
        let reply = world.call(operation, "").await;
        // Signing in with what an example holds is refused for what it holds.
        if reply.status == 401 {
            let says: Value = reply.json();
            assert!(!says["detail"].as_str().unwrap().contains("Authorization"), "{says}");
        }
    }
}
