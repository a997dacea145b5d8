//! Tenants in a store, and a look at their rows behind its back.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::hash::{BuildHasher, Hasher};

use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Patch, Session};
use crm_postgres::PostgresStore;
use sqlx::PgConnection;

pub(crate) fn crm(store: &PostgresStore) -> Crm {
    Crm::builder(store.clone()).build().unwrap()
}

/// The operator's session in a new tenant.
pub(crate) async fn tenant(crm: &Crm, slug: &str) -> Session {
    let system = crm.system("test").unwrap();
    let (tenant, _) = system.create_tenant(new_tenant(slug)).await.unwrap();
    system.session(tenant.id).await.unwrap()
}

pub(crate) fn new_tenant(slug: &str) -> NewTenant {
    NewTenant {
        name: format!("Tenant {slug}"),
        slug: Some(slug.parse().unwrap()),
        default_region: "US".parse().unwrap(),
        owner_email: format!("owner@{slug}.example"),
        owner_name: None,
    }
}

pub(crate) fn person(who: &str, number: usize) -> NewContact {
    NewContact::named(who, format!("Number{number}"))
        .email(format!("{who}{number}@people.example"))
        .tag("person")
}

pub(crate) fn titled(title: impl Into<String>) -> ContactPatch {
    ContactPatch { title: Patch::Set(title.into()), ..ContactPatch::default() }
}

pub(crate) async fn number(admin: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(admin).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Everything that belongs to a contact is there once for each of its versions; returns how many
/// contacts there are. `admin` is not held by row security.
pub(crate) async fn whole(admin: &mut PgConnection) -> i64 {
    for wrong in [
        "select count(*) from crm.contacts where version <> (select count(*) from crm.activities
             where activities.tenant_id = contacts.tenant_id and contact_id = contacts.id
             and kind like 'contact\\_%')",
        "select count(*) from crm.contacts where version <> (select count(*) from crm.audit
             where audit.tenant_id = contacts.tenant_id and resource_id = contacts.id)",
        "select count(*) from crm.contacts where version <> (select count(*) from crm.events
             where events.tenant_id = contacts.tenant_id and subject_id = contacts.id)",
        "select count(*) from crm.contacts where (doc ->> 'version')::bigint <> version",
        "select count(*) from crm.contacts where json_array_length(doc -> 'emails') <>
             (select count(*) from crm.contact_keys where contact_keys.tenant_id = contacts.tenant_id
             and contact_id = contacts.id and kind = 0 and live = not deleted)",
        "select count(*) from crm.contacts where deleted = exists (select from crm.contact_terms
             where contact_terms.tenant_id = contacts.tenant_id and contact_id = contacts.id)",
        "select count(*) from crm.contacts where deleted = exists (select from crm.terms
             where terms.tenant_id = contacts.tenant_id and contact_id = contacts.id)",
        "select count(*) from crm.terms where not exists (select from crm.contacts
             where contacts.tenant_id = terms.tenant_id and contacts.id = contact_id)",
        "select count(*) from crm.words where not exists (select from crm.terms
             where terms.tenant_id = words.tenant_id and terms.word = words.word)",
        "select count(*) from crm.word_deletes where not exists (select from crm.words
             where words.tenant_id = word_deletes.tenant_id and words.word = word_deletes.word)",
        "select count(*) from crm.activities where kind = 'note' and not exists (select from crm.audit
             where audit.tenant_id = activities.tenant_id and resource_id = activities.id)",
        "select (select count(*) from crm.audit) - (select count(*) from crm.events)",
    ] {
        assert_eq!(number(admin, wrong).await, 0, "{wrong}");
    }
    number(admin, "select count(*) from crm.contacts").await
}

/// Random numbers whose seed is printed; `CRM_TEST_SEED` repeats a run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Self {
        let seed = match std::env::var("CRM_TEST_SEED") {
            Ok(seed) => seed.parse().expect("CRM_TEST_SEED is a number"),
            Err(_) => std::hash::RandomState::new().build_hasher().finish(),
        };
        eprintln!("CRM_TEST_SEED={seed}");
        Random(seed)
    }

    /// A number below `end`: SplitMix64 (Steele, Lea, Flood 2014).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}
