//! Consents.

use crm_core::contacts::NewContact;
use crm_core::privacy::{NewConsent, Purpose};

use crate::case::cases;

fn said(purpose: Purpose, granted: bool) -> NewConsent {
    NewConsent { purpose, granted, source: Some("asked \u{1f980}".to_owned()) }
}

cases! {
    async fn the_latest_consent_holds(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = session.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        let eve = session.contacts().create(NewContact::named("Eve", "Moore")).await.unwrap();
        let privacy = session.privacy();
        let mut all = Vec::new();
        // Two of them at one moment.
        for (purpose, granted) in
            [(Purpose::Calls, false), (Purpose::Recording, true), (Purpose::Calls, true)]
        {
            all.push(privacy.record_consent(ada.id, said(purpose, granted)).await.unwrap());
        }
        let hers = privacy.record_consent(eve.id, said(Purpose::Calls, false)).await.unwrap();
        all.reverse();
        assert_eq!(privacy.consents(ada.id).await.unwrap(), all, "the newest first");
        let ids = [eve.id, ada.id, eve.id];
        let latest = env.store.consents(session.scope(), &ids, false).await.unwrap();
        assert_eq!(latest, [all[0].clone(), all[1].clone(), hers]);
        env.clock.advance_micros(1);
        let last = privacy.record_consent(ada.id, said(Purpose::Calls, false)).await.unwrap();
        let latest = env.store.consents(session.scope(), &[ada.id], false).await.unwrap();
        assert_eq!(latest, [last, all[1].clone()]);
    }

    async fn consents_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let ada = acme.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        acme.privacy().record_consent(ada.id, said(Purpose::Calls, false)).await.unwrap();
        for history in [false, true] {
            let seen = env.store.consents(other.scope(), &[ada.id], history).await.unwrap();
            assert_eq!(seen, []);
        }
    }
}
