//! The tenant's settings.

use std::time::Duration;

use crm_core::tenancy::TenantPatch;
use crm_core::{ErrorKind, Patch, Role};

use crate::{field, refused, world};

#[tokio::test]
async fn an_owner_changes_the_settings_and_everybody_reads_them() {
    let world = world().await;
    let owner = world.session("owner@acme.example").await;
    let patch: TenantPatch = serde_json::from_value(serde_json::json!({
        "name": "Acme AG", "default_region": "CH",
        "join_domains": [" Acme.Example", "acme.example", "xn--bcher-kva.example"],
        "join_role": "agent",
    }))
    .unwrap();
    let after = owner.tenant().update(patch.clone(), Some(world.tenant.version)).await.unwrap();
    assert_eq!((after.name.as_str(), after.version), ("Acme AG", 2));
    assert_eq!(after.default_region, "CH".parse().unwrap());
    assert_eq!(after.join_domains, ["acme.example", "xn--bcher-kva.example"]);
    assert_eq!(after.join_role, Role::Agent);
    assert_eq!(owner.tenant().update(patch.clone(), None).await.unwrap().version, 2, "no change");
    refused(owner.tenant().update(patch.clone(), Some(1)).await, ErrorKind::VersionConflict);
    assert_eq!(world.events().await.iter().filter(|name| *name == "tenant.updated.v1").count(), 1);

    world.user("viewer@acme.example", Role::Viewer).await;
    world.user("admin@acme.example", Role::Admin).await;
    let viewer = world.session("viewer@acme.example").await;
    assert_eq!(viewer.tenant().get().await.unwrap(), after);
    let admin = world.session("admin@acme.example").await;
    refused(admin.tenant().update(patch.clone(), None).await, ErrorKind::Forbidden);
    // A change of the region is met by the next session.
    assert_eq!(viewer.scope().region(), "CH".parse().unwrap());

    let signed_in = world.try_sign_in("owner@acme.example", crate::PASSWORD, None).await.unwrap();
    world.clock.advance(Duration::from_secs(16 * 60));
    let refreshed = world.identity().refresh(&signed_in.tokens.refresh_token).await.unwrap();
    let stale = world.identity().authenticate(refreshed.access_token.reveal()).await.unwrap();
    refused(stale.tenant().update(patch, None).await, ErrorKind::StepUpRequired);
}

#[tokio::test]
async fn what_is_no_setting_is_refused() {
    let world = world().await;
    let owner = world.session("owner@acme.example").await;
    let update = async |patch: TenantPatch| field(owner.tenant().update(patch, None).await);
    for domain in
        ["", "acme", "acme..example", "-a.example", "a b.example", "bücher.example", "a@b.c"]
    {
        let domains = Patch::Set(vec!["fine.example".to_owned(), domain.to_owned()]);
        let patch = TenantPatch { join_domains: domains, ..TenantPatch::default() };
        let refused = update(patch).await;
        assert_eq!(refused, ("join_domains[1]".into(), "invalid_domain".into()), "{domain}");
    }
    let many = (0..101).map(|number| format!("{number}.example")).collect::<Vec<_>>();
    let patch = TenantPatch { join_domains: many.into(), ..TenantPatch::default() };
    assert_eq!(update(patch).await.1, "too_many");
    let patch = TenantPatch { join_role: Role::Owner.into(), ..TenantPatch::default() };
    assert_eq!(update(patch).await, ("join_role".into(), "invalid_role".into()));
    let patch = TenantPatch { name: Patch::Clear, ..TenantPatch::default() };
    assert_eq!(update(patch).await, ("name".into(), "required".into()));
}
