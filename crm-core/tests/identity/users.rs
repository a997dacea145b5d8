//! Who changes whom.

use std::time::Duration;

use crm_core::companies::{CompanyPatch, NewCompany};
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::identity::{
    AcceptInvitation, ChangePassword, NewApiKey, NewUser, Secret, User, UserPatch, UserStatus,
};
use crm_core::{ApiKeyId, CompanyId, ContactId, ErrorKind, Role, UserId};
use uuid::Uuid;

use crate::{PASSWORD, refused, world};

fn role(role: Role) -> UserPatch {
    UserPatch { role: role.into(), ..UserPatch::default() }
}

fn status(status: UserStatus) -> UserPatch {
    UserPatch { status: status.into(), ..UserPatch::default() }
}

#[tokio::test]
async fn owners_are_made_and_changed_by_owners_who_have_just_proved_themselves() {
    let world = world().await;
    let (second, _) = (
        world.user("second@acme.example", Role::Owner).await,
        world.user("admin@acme.example", Role::Admin).await,
    );
    let admin = world.session("admin@acme.example").await;
    refused(admin.users().update(second.id, role(Role::Viewer), None).await, ErrorKind::Forbidden);
    let new = |role| NewUser { email: format!("{role}9@acme.example"), full_name: None, role };
    refused(admin.users().create(new(Role::Owner)).await, ErrorKind::Forbidden);
    let agent = admin.users().create(new(Role::Agent)).await.unwrap().user;
    refused(admin.users().update(agent.id, role(Role::Owner), None).await, ErrorKind::Forbidden);

    let signed_in = world.try_sign_in("owner@acme.example", PASSWORD, None).await.unwrap();
    let fresh = world.with(&signed_in).await.unwrap();
    world.clock.advance(Duration::from_secs(15 * 60));
    let tokens = world.identity().refresh(&signed_in.tokens.refresh_token).await.unwrap();
    let stale = world.identity().authenticate(tokens.access_token.reveal()).await.unwrap();
    for (user, patch) in [
        (second.id, role(Role::Viewer)),
        (second.id, status(UserStatus::Disabled)),
        (agent.id, role(Role::Owner)),
    ] {
        let step_up = stale.users().update(user, patch, None).await;
        refused(step_up, ErrorKind::StepUpRequired);
    }
    refused(stale.users().create(new(Role::Owner)).await, ErrorKind::StepUpRequired);
    stale.users().update(agent.id, role(Role::Viewer), None).await.unwrap();
    fresh.users().update(second.id, role(Role::Viewer), None).await.unwrap();
}

#[tokio::test]
async fn a_change_takes_effect_at_once_and_a_disabled_user_stays_out() {
    let world = world().await;
    let ada = world.user("ada@acme.example", Role::Agent).await;
    let signed_in = world.try_sign_in("ada@acme.example", PASSWORD, None).await.unwrap();
    let operator = world.operator().await;
    assert_eq!(world.with(&signed_in).await.unwrap().scope().role(), Role::Agent);
    operator.users().update(ada.id, role(Role::Viewer), None).await.unwrap();
    assert_eq!(world.with(&signed_in).await.unwrap().scope().role(), Role::Viewer);

    operator.users().update(ada.id, status(UserStatus::Disabled), None).await.unwrap();
    refused(world.with(&signed_in).await, ErrorKind::Unauthenticated);
    refused(
        world.identity().refresh(&signed_in.tokens.refresh_token).await,
        ErrorKind::Unauthenticated,
    );
    operator.users().update(ada.id, status(UserStatus::Active), None).await.unwrap();
    // The old session does not come back with them.
    refused(world.with(&signed_in).await, ErrorKind::Unauthenticated);
    world.session("ada@acme.example").await;
    let invited = operator.users().update(ada.id, status(UserStatus::Invited), None).await;
    refused(invited, ErrorKind::Invalid);
}

#[tokio::test]
async fn the_last_active_owner_stays() {
    let world = world().await;
    let operator = world.operator().await;
    for patch in [role(Role::Admin), status(UserStatus::Disabled)] {
        let last = operator.users().update(world.owner.id, patch, None).await;
        refused(last, ErrorKind::Conflict);
    }
    // Neither who is only invited nor who is disabled is an owner that a tenant can do with.
    let new = NewUser { email: "o2@acme.example".into(), full_name: None, role: Role::Owner };
    let invited = operator.users().create(new).await.unwrap().user;
    let last = operator.users().update(world.owner.id, role(Role::Admin), None).await;
    refused(last, ErrorKind::Conflict);
    operator.users().update(invited.id, status(UserStatus::Disabled), None).await.unwrap();
    let last = operator.users().update(world.owner.id, role(Role::Admin), None).await;
    refused(last, ErrorKind::Conflict);
    operator.users().update(invited.id, status(UserStatus::Active), None).await.unwrap();
    operator.users().update(world.owner.id, role(Role::Admin), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_owners_who_are_taken_away_at_once_one_stays() {
    for _ in 0..20 {
        let world = world().await;
        let mut owners: Vec<User> = vec![world.owner.clone()];
        for number in 0..3 {
            owners.push(world.user(&format!("o{number}@acme.example"), Role::Owner).await);
        }
        let operator = world.operator().await;
        let tasks = owners.iter().map(|owner| {
            let (operator, owner) = (operator.clone(), owner.clone());
            tokio::spawn(async move {
                // With the version that the caller saw: the tenant's must not be taken for it.
                let users = operator.users();
                users.update(owner.id, role(Role::Viewer), Some(owner.version)).await
            })
        });
        let mut refusals = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            refusals.extend(task.await.unwrap().err().map(|error| error.kind()));
        }
        assert_eq!(refusals, [ErrorKind::Conflict]);
    }
}

#[tokio::test]
async fn who_may_not_is_told_of_a_missing_record_what_everybody_is_told() {
    let world = world().await;
    let other = crate::make_tenant(&world.crm, "Other", "owner@other.example").await;
    let theirs = world.crm.system("test").unwrap().session(other.0.id).await.unwrap();
    let ours = world.operator().await;
    world.user("viewer@acme.example", Role::Viewer).await;
    let viewer = world.session("viewer@acme.example").await;

    let contact = |session: crm_core::Session| async move {
        session.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap().id
    };
    let contacts = [
        (contact(ours.clone()).await, ErrorKind::Forbidden),
        (contact(theirs.clone()).await, ErrorKind::NotFound),
        (ContactId::from_uuid(Uuid::nil()), ErrorKind::NotFound),
    ];
    let mut told = Vec::new();
    for (id, kind) in contacts {
        let contacts = viewer.contacts();
        let errors = [
            refused(contacts.update(id, ContactPatch::default(), None).await, kind),
            refused(contacts.delete(id, None).await, kind),
            refused(contacts.restore(id).await, kind),
        ];
        told.push(errors.map(|error| error.to_string()));
    }
    assert_eq!(told[1], told[2]);

    let company = |session: crm_core::Session| async move {
        let new = NewCompany { name: "Initech".into(), domain: None };
        session.companies().create(new).await.unwrap().id
    };
    for (id, kind) in [
        (company(ours.clone()).await, ErrorKind::Forbidden),
        (company(theirs.clone()).await, ErrorKind::NotFound),
        (CompanyId::from_uuid(Uuid::nil()), ErrorKind::NotFound),
    ] {
        refused(viewer.companies().update(id, CompanyPatch::default(), None).await, kind);
    }
    for (id, kind) in [
        (world.owner.id, ErrorKind::Forbidden),
        (other.1.id, ErrorKind::NotFound),
        (UserId::from_uuid(Uuid::nil()), ErrorKind::NotFound),
    ] {
        refused(viewer.users().update(id, UserPatch::default(), None).await, kind);
        refused(viewer.users().invite_again(id).await, kind);
    }
    let scopes = vec!["contacts:read".to_owned()];
    let new = NewApiKey { name: "k".into(), role: Role::Viewer, scopes, expires_at: None };
    let key = ours.api_keys().create(new).await.unwrap().api_key.id;
    for (id, kind) in
        [(key, ErrorKind::Forbidden), (ApiKeyId::from_uuid(Uuid::nil()), ErrorKind::NotFound)]
    {
        refused(viewer.api_keys().revoke(id).await, kind);
    }
    // A session that only reads says so first.
    let lagging = ours.lagging();
    let nothing = ContactId::from_uuid(Uuid::nil());
    refused(lagging.contacts().delete(nothing, None).await, ErrorKind::Conflict);
}

#[tokio::test]
async fn no_password_is_made_of_the_tenants_name() {
    let world = world().await;
    let (tenant, owner) =
        crate::make_tenant(&world.crm, "Zyxwellian Quorvex", "owner@other.example").await;
    let system = world.crm.system("test").unwrap();
    let weak: Secret = "zyxwellian-quorvex".into();
    let common = |field: &str| (field.to_owned(), "password_too_common".to_owned());

    let set = system.set_password(tenant.id, owner.id, &weak).await;
    assert_eq!(crate::field(set), common("password"));
    let signed_in = world.try_sign_in("owner@other.example", crate::PASSWORD, None).await.unwrap();
    let change =
        ChangePassword { current_password: crate::PASSWORD.into(), new_password: weak.clone() };
    let changed = world.with(&signed_in).await.unwrap().account().change_password(change).await;
    assert_eq!(crate::field(changed), common("new_password"));
    let new = NewUser { email: "ada@other.example".into(), full_name: None, role: Role::Agent };
    let created = system.session(tenant.id).await.unwrap().users().create(new).await.unwrap();
    let accept =
        AcceptInvitation { invitation: created.invitation, password: weak, full_name: None };
    let accepted = world.identity().accept_invitation(accept).await;
    assert_eq!(crate::field(accepted), common("password"));
}
