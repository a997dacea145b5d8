//! Companies.

use crm_core::companies::{Company, CompanyKey, CompanyPatch, NewCompany};
use crm_core::{CompanyId, ErrorKind, Patch, Session};

use crate::case::cases;
use crate::env::{ALL, Env, refused};

fn new_company(name: &str, domain: Option<&str>) -> NewCompany {
    NewCompany { name: name.to_owned(), domain: domain.map(str::to_owned) }
}

async fn by_keys(env: &Env, session: &Session, keys: &[CompanyKey]) -> Vec<Company> {
    let mut found = env.store.companies_by_keys(session.scope(), keys).await.unwrap();
    found.sort_by_key(|company| company.id);
    found
}

cases! {
    async fn companies_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let new = || new_company("Initech", Some("initech.example"));
        let company = acme.companies().create(new()).await.unwrap();
        let namesake = other.companies().create(new()).await.unwrap();

        let found = env.store.company(acme.scope(), company.id).await.unwrap();
        assert_eq!(found, Some(company.clone()));
        assert_eq!(env.store.company(other.scope(), company.id).await.unwrap(), None);
        assert_eq!(by_keys(env, &other, &company.keys()).await, std::slice::from_ref(&namesake));
        assert_eq!(env.store.companies(other.scope(), None, ALL).await.unwrap(), [namesake]);
        let patch = CompanyPatch { name: Patch::Set("X".into()), ..CompanyPatch::default() };
        refused(other.companies().update(company.id, patch, None).await, ErrorKind::NotFound);
        let found = env.store.company(acme.scope(), company.id).await.unwrap();
        assert_eq!(found, Some(company));
    }

    async fn a_company_is_read_as_written(env: &Env) {
        let session = env.tenant("acme").await;
        let new = new_company("Ö'Brien \"Söhne\" & 株式会社 🦀", Some("Straße.Example"));
        let mut company = session.companies().create(new).await.unwrap();
        for patch in [
            CompanyPatch { domain: Patch::Clear, ..CompanyPatch::default() },
            CompanyPatch { name: Patch::Set("%_\\".into()), domain: Patch::Keep },
            CompanyPatch { domain: Patch::Set("b.example".into()), ..CompanyPatch::default() },
        ] {
            let found = env.store.company(session.scope(), company.id).await.unwrap();
            assert_eq!(found, Some(company.clone()));
            env.clock.advance_micros(1);
            let version = Some(company.version);
            let after = session.companies().update(company.id, patch, version).await.unwrap();
            assert_eq!(after.version, company.version + 1);
            company = after;
        }
        let found = env.store.company(session.scope(), company.id).await.unwrap();
        assert_eq!(found, Some(company));
        let unknown = CompanyId::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(env.store.company(session.scope(), unknown).await.unwrap(), None);
    }

    async fn company_keys_are_unique(env: &Env) {
        let session = env.tenant("acme").await;
        let companies = session.companies();
        let new = new_company("Müller & Söhne", Some("mueller.example"));
        let first = companies.create(new).await.unwrap();
        for new in [
            new_company("MULLER, sohne", None),
            new_company("Another", Some("Mueller.example")),
            new_company("muller sohne", Some("mueller.example")),
        ] {
            let error = refused(companies.create(new).await, ErrorKind::AlreadyExists);
            assert_eq!(error.existing_id(), Some(first.id.as_uuid()), "the holder is named");
        }
        let second = companies.create(new_company("Second", Some("second.example"))).await.unwrap();
        for patch in [
            CompanyPatch { name: Patch::Set("muller sohne".into()), ..CompanyPatch::default() },
            CompanyPatch {
                domain: Patch::Set("mueller.example".into()),
                ..CompanyPatch::default()
            },
        ] {
            let error =
                refused(companies.update(second.id, patch, None).await, ErrorKind::AlreadyExists);
            assert_eq!(error.existing_id(), Some(first.id.as_uuid()));
        }
        let all = env.store.companies(session.scope(), None, ALL).await.unwrap();
        assert_eq!(all, [first, second], "what was refused left nothing behind");
    }

    async fn company_keys_follow_updates(env: &Env) {
        let session = env.tenant("acme").await;
        let companies = session.companies();
        let before = companies.create(new_company("Old Name", Some("old.example"))).await.unwrap();
        let bystander = companies.create(new_company("Bystander", None)).await.unwrap();
        let patch = CompanyPatch {
            name: Patch::Set("New Name".into()),
            domain: Patch::Set("new.example".into()),
        };
        let after = companies.update(before.id, patch, None).await.unwrap();
        assert_eq!(by_keys(env, &session, &before.keys()).await, []);
        for key in after.keys() {
            assert_eq!(by_keys(env, &session, &[key]).await, std::slice::from_ref(&after));
        }
        let mut keys = after.keys();
        keys.extend(bystander.keys());
        keys.push(CompanyKey::name("nobody"));
        // A name is no domain, even where the text is equal.
        keys.push(CompanyKey::Domain("bystander".into()));
        assert_eq!(by_keys(env, &session, &keys).await, [after, bystander]);
        assert_eq!(by_keys(env, &session, &[]).await, []);

        let heir = companies.create(new_company("old name", Some("old.example"))).await.unwrap();
        assert_eq!(by_keys(env, &session, &before.keys()).await, [heir], "the old keys are free");
    }

    async fn companies_are_listed(env: &Env) {
        let session = env.tenant("acme").await;
        for name in ["Zeta", "alpha", "Émile", "beta", "1st", "株式会社", "Omega"] {
            session.companies().create(new_company(name, None)).await.unwrap();
        }
        let all = env.store.companies(session.scope(), None, ALL).await.unwrap();
        assert_eq!(all.len(), 7);
        assert!(all.is_sorted_by_key(|company| company.id), "{all:?}");
        for limit in [1, 3, 7] {
            let mut walked = Vec::new();
            let mut after = None;
            loop {
                let page = env.store.companies(session.scope(), after, limit).await.unwrap();
                assert!(page.len() <= limit, "{} companies on a page of {limit}", page.len());
                let Some(last) = page.last() else { break };
                after = Some(last.id.as_uuid());
                walked.extend(page);
                assert!(walked.len() < ALL, "the pages have no end");
            }
            assert_eq!(walked, all, "pages of {limit}");
        }
    }
}
