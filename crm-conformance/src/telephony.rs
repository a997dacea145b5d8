//! Accounts with carriers.

use std::collections::BTreeMap;

use crm_core::telephony::{
    CarrierSecrets, NewTelephonyAccount, TelephonyAccount, TelephonyAccountPatch,
};
use crm_core::{ErrorKind, Session, TenantId};

use crate::case::cases;
use crate::env::refused;

pub(crate) fn account(name: &str) -> NewTelephonyAccount {
    NewTelephonyAccount {
        provider: "simulator".to_owned(),
        name: name.to_owned(),
        secrets: CarrierSecrets { auth_tokens: vec!["secret".into()], ..CarrierSecrets::default() },
        numbers: vec!["+14255550100".to_owned()],
        connect_to: None,
        greeting: Some("Hello \u{1f980}".to_owned()),
        options: BTreeMap::default(),
    }
}

async fn keep(session: &Session, name: &str) -> TelephonyAccount {
    session.telephony().create(account(name)).await.unwrap()
}

cases! {
    async fn telephony_accounts_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let one = keep(&acme, "one").await;
        let two = keep(&acme, "two").await;
        keep(&other, "three").await;
        let patch = TelephonyAccountPatch { active: false.into(), ..Default::default() };
        let one = acme.telephony().update(one.id, patch.clone(), Some(1)).await.unwrap();
        refused(
            acme.telephony().update(one.id, patch, Some(1)).await,
            ErrorKind::VersionConflict,
        );
        assert_eq!(acme.telephony().list().await.unwrap(), [one, two]);
        let seen = other.telephony().list().await.unwrap();
        assert_eq!(seen.iter().map(|own| own.name.as_str()).collect::<Vec<_>>(), ["three"]);
    }

    async fn a_telephony_account_is_kept_once(env: &Env) {
        let session = env.tenant("acme").await;
        let kept = keep(&session, "one").await;
        let again = session.telephony().create(account("one")).await;
        let error = refused(again, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(kept.id.as_uuid()));
        assert_eq!(error.fields()[0].field, "name");
        assert_eq!(session.telephony().list().await.unwrap(), [kept]);
    }

    async fn a_carriers_account_is_found_in_every_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        env.tenant("third").await;
        let mut kept: Vec<(TenantId, TelephonyAccount)> = Vec::new();
        for session in [&acme, &other] {
            kept.push((session.scope().tenant(), keep(session, "shared").await));
            keep(session, "own").await;
        }
        kept.sort_by_key(|(tenant, _)| *tenant);
        let system = env.system();
        let found = |provider: &'static str, name: &'static str, limit: usize| {
            let (store, scope) = (&env.store, system.scope());
            async move { store.accounts_of_carrier(scope, provider, name, limit).await.unwrap() }
        };
        assert_eq!(found("simulator", "shared", 10).await, kept);
        assert_eq!(found("simulator", "shared", 1).await, kept[..1]);
        assert_eq!(found("twilio", "shared", 10).await, []);
        assert_eq!(found("simulator", "Shared", 10).await, []);
    }
}
