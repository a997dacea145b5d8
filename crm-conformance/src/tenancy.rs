//! Tenants.

use crm_core::identity::StandingOf;
use crm_core::tenancy::{Slug, Tenant, TenantPatch};
use crm_core::{ErrorKind, Patch, TenantId};

use crate::case::cases;
use crate::env::{ALL, new_tenant, refused};

cases! {
    async fn tenant_is_found(env: &Env) {
        let system = env.system();
        let mut new = new_tenant("acme");
        new.name = "Ácme & Söhne 🦀".into();
        new.default_region = "DE".parse().unwrap();
        let (tenant, owner) = system.create_tenant(new).await.unwrap();
        let (other, _) = system.create_tenant(new_tenant("other")).await.unwrap();

        let found = env.store.tenant(system.scope(), tenant.id).await.unwrap();
        assert_eq!(found, Some(tenant.clone()), "by id");
        let found = env.store.tenant_by_slug(system.scope(), &tenant.slug).await.unwrap();
        assert_eq!(found.as_ref(), Some(&tenant), "by slug");
        let found = env.store.tenant_by_slug(system.scope(), &other.slug).await.unwrap();
        assert_eq!(found, Some(other), "the other one by its slug");
        let of = StandingOf::User(owner.id);
        let standing = env.store.standing(system.scope(), tenant.id, of).await.unwrap().unwrap();
        assert_eq!((standing.tenant, standing.user), (tenant, Some(owner)), "its owner");

        let unknown = TenantId::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(env.store.tenant(system.scope(), unknown).await.unwrap(), None);
        assert_eq!(env.store.standing(system.scope(), unknown, of).await.unwrap(), None);
        let unknown: Slug = "nobody".parse().unwrap();
        assert_eq!(env.store.tenant_by_slug(system.scope(), &unknown).await.unwrap(), None);
    }

    async fn tenant_slug_is_unique(env: &Env) {
        let system = env.system();
        let (first, _) = system.create_tenant(new_tenant("acme")).await.unwrap();
        let mut second = new_tenant("acme");
        second.owner_email = "somebody@else.example".into();
        let error = refused(system.create_tenant(second).await, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(first.id.as_uuid()), "the holder is named");
        let tenants = env.store.tenants(system.scope(), None, ALL).await.unwrap();
        assert_eq!(tenants, [first], "the refused tenant left nothing behind");
    }

    async fn tenants_are_listed_by_slug(env: &Env) {
        let system = env.system();
        // In the order of bytes the dash comes before digits, and digits before letters.
        let mut slugs = ["b-1", "aa", "b1", "zz-top", "a-b", "b0", "a0", "ba"].map(String::from);
        for slug in &slugs {
            system.create_tenant(new_tenant(slug)).await.unwrap();
        }
        slugs.sort();
        let names = |tenants: &[Tenant]| -> Vec<String> {
            tenants.iter().map(|tenant| tenant.slug.to_string()).collect()
        };
        let all = env.store.tenants(system.scope(), None, ALL).await.unwrap();
        assert_eq!(names(&all), slugs);

        for limit in [1, 3, slugs.len()] {
            let mut walked = Vec::new();
            let mut after: Option<Slug> = None;
            loop {
                let page = env.store.tenants(system.scope(), after.as_ref(), limit).await.unwrap();
                assert!(page.len() <= limit, "{} tenants on a page of {limit}", page.len());
                let Some(last) = page.last() else { break };
                after = Some(last.slug.clone());
                walked.extend(page);
                assert!(walked.len() < ALL, "the pages have no end");
            }
            assert_eq!(walked, all, "pages of {limit}");
        }
    }

    async fn a_tenant_changes_by_version(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let before = acme.tenant().get().await.unwrap();
        let patch = |name: &str| TenantPatch { name: Patch::Set(name.into()), ..Default::default() };
        let after = acme.tenant().update(patch("Ácme 🦀"), Some(1)).await.unwrap();
        assert_eq!((after.name.as_str(), after.version), ("Ácme 🦀", 2));
        let system = env.system();
        let by_id = env.store.tenant(system.scope(), before.id).await.unwrap();
        let by_slug = env.store.tenant_by_slug(system.scope(), &before.slug).await.unwrap();
        assert_eq!((by_id, by_slug), (Some(after.clone()), Some(after.clone())));
        refused(acme.tenant().update(patch("Late"), Some(1)).await, ErrorKind::VersionConflict);
        // Both read before either writes: whoever is second has to look again.
        env.door.gather_commits(2);
        let (own, again) = (acme.tenant(), acme.tenant());
        let region = TenantPatch { default_region: Patch::Set("DE".parse().unwrap()), ..Default::default() };
        let (name, region) =
            futures::join!(own.update(patch("Acme"), None), again.update(region, None));
        name.unwrap();
        region.unwrap();
        let last = env.store.tenant(system.scope(), before.id).await.unwrap().unwrap();
        assert_eq!(last.name, "Acme");
        let untouched = other.tenant().get().await.unwrap();
        assert_eq!((untouched.name.as_str(), untouched.version), ("Tenant other", 1));
    }
}
