//! A telephone system that the CRM does not know, behind the CRM's calls: [`Switchboard`] is what there is,
//! [`Carrier`] is all that is written for it.

mod carrier;
mod switchboard;

use crm_core::activities::ActivityData;
use crm_core::calls::StartCall;
use crm_core::contacts::NewContact;
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Region, Result};

pub use self::carrier::Carrier;
pub use self::switchboard::{Dial, Event, Line, Report, Switchboard};

/// Calls a new contact of a new tenant, and says how the call goes on, and what its timeline tells in the end.
///
/// `second` waits for a second.
///
/// # Errors
///
/// `unavailable` and `internal` where the store fails.
pub async fn call_ada(crm: &Crm, second: impl AsyncFn(), mut say: impl FnMut(&str)) -> Result<()> {
    let new = NewTenant::new("Acme", "olive@acme.example", Region::US);
    let (tenant, olive) = crm.system("set up")?.create_tenant(new).await?;
    let session = crm.session(tenant.principal(&olive)).await?;
    session
        .telephony()
        .create(NewTelephonyAccount {
            provider: "switchboard".to_owned(),
            name: "acme".to_owned(),
            secrets: CarrierSecrets { auth_tokens: vec!["password".into()], api_key: None },
            numbers: vec!["+14255550199".to_owned()],
            connect_to: None,
            greeting: None,
            options: Default::default(),
        })
        .await?;
    let ada = NewContact::named("Ada", "Lovelace").phone("+14255550150");
    let ada = session.contacts().create(ada).await?;
    let call = session.calls().start(StartCall::to(ada.id)).await?.id;

    let worker = crm.worker();
    let mut known = None;
    loop {
        worker.run_due().await?;
        let call = session.calls().get(call).await?;
        let status = call.status();
        if known.replace(status) != Some(status) {
            say(&status.to_string());
        }
        if status.is_end() {
            break;
        }
        second().await;
    }
    let timeline = session.activities().timeline(ada.id, &Page::default()).await?;
    for activity in timeline.items {
        if let ActivityData::Call { duration_seconds: Some(seconds), .. } = activity.data {
            say(&format!("on the timeline: a call of {seconds} s"));
        }
    }
    Ok(())
}
