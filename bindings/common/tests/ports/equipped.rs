//! A CRM over a host's objects.

use std::sync::{Arc, Mutex};

use crm_core::identity::NewUser;
use crm_core::memory::MemoryStore;
use crm_core::notifications::NotificationChannel as _;
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, ErrorKind, Role};
use crm_embed::ports::{HostChannel, HostError, HostValue, Hosts, Ports, TimeLimits, raised};
use tokio::runtime::Handle;

use crate::hosts::blobs::HostedBlobs;
use crate::hosts::bus::Channel;
use crate::hosts::carrier::HostedCarrier;
use crate::scripted::{Exception, Scripted};

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_works_with_what_a_host_has_written() {
    let at: crm_core::Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
    let carrier = Arc::new(HostedCarrier::new(|simulator| simulator));
    let hosts = Hosts {
        telephony: vec![("theirs".to_owned(), carrier)],
        bus: Some(Arc::new(Channel::default())),
        blobs: Some(Arc::new(HostedBlobs::default())),
        clock: Some(Scripted::answering(move |_| Ok(at.into()))),
        channels: vec![("letter".to_owned(), Scripted::hanging())],
        limits: TimeLimits::default(),
    };
    let ports = Ports::new(hosts, &Handle::current()).unwrap();
    let crm = ports.equip(Crm::builder(MemoryStore::default())).build().unwrap();
    crm.check_recordings().await.unwrap();
    let system = crm.system("a test").unwrap();
    let acme = NewTenant::new("Acme", "ada@acme.example", "DE".parse().unwrap());
    let (tenant, _) = system.create_tenant(acme).await.unwrap();
    let session = system.session(tenant.id).await.unwrap();
    let email = "bo@acme.example".to_owned();
    let new = NewUser { email, full_name: None, role: Role::Agent };
    assert_eq!(session.users().create(new).await.unwrap().user.created_at, at);
    let account = |provider: &str, name: &str| NewTelephonyAccount {
        provider: provider.to_owned(),
        name: name.to_owned(),
        secrets: CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None },
        numbers: Vec::new(),
        connect_to: None,
        greeting: None,
        options: std::collections::BTreeMap::new(),
    };
    let accounts = session.telephony();
    accounts.create(account("theirs", "AC1")).await.unwrap();
    let refused = accounts.create(account("theirs", "no name of an account")).await.unwrap_err();
    assert_eq!(refused.fields()[0].field, "name", "the host's own rule");
    assert_eq!(
        accounts.create(account("others", "AC1")).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[tokio::test]
async fn hosts_that_cannot_be_ports_are_refused() {
    let refused = |hosts| {
        let error = Ports::new(hosts, &Handle::current()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.fields()[0].field.clone()
    };
    let bus = Scripted::without(&["subscribe"]);
    assert_eq!(refused(Hosts { bus: Some(bus), ..Hosts::default() }), "bus.subscribe");
    let blobs = Scripted::without(&["get", "check"]);
    assert_eq!(refused(Hosts { blobs: Some(blobs), ..Hosts::default() }), "blobs.get");
    for name in ["in_app", "", "E-Mail"] {
        let channels = vec![(name.to_owned(), Scripted::hanging() as Arc<_>)];
        assert_eq!(refused(Hosts { channels, ..Hosts::default() }), "channels");
    }
}

#[tokio::test]
async fn a_channel_is_given_the_notification_and_the_user() {
    let notification = serde_json::json!({
        "id": "0198c5f0-0000-7000-8000-000000000001",
        "user_id": "0198c5f0-0000-7000-8000-000000000002",
        "kind": "mention", "title": "Ada", "body": null, "data": {}, "count": 1,
        "created_at": "2026-03-01T09:30:00Z", "delivered_at": null, "read_at": null, "version": 1,
    });
    let user = serde_json::json!({
        "id": "0198c5f0-0000-7000-8000-000000000002", "email": "bo@acme.example",
        "full_name": "Bo", "role": "agent", "status": "active", "session_epoch": 0,
        "created_at": "2026-03-01T09:30:00Z", "updated_at": "2026-03-01T09:30:00Z", "version": 1,
    });
    let given = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&given);
    let host = Scripted::answering(move |arguments| {
        keep.lock().unwrap().extend(arguments.into_iter().map(|(name, value)| match value {
            HostValue::Record(shape, value) => (name, shape, value),
            other => panic!("{other:?}"),
        }));
        Ok(HostValue::Null)
    });
    let limits = TimeLimits::default();
    let channel = HostChannel::new("letter", host.clone(), limits).unwrap();
    assert_eq!(channel.name(), "letter");
    let told = serde_json::from_value(notification.clone()).unwrap();
    let person = serde_json::from_value(user.clone()).unwrap();
    channel.send(&told, &person).await.unwrap();
    let expected = [("notification", "Notification", notification), ("user", "User", user)];
    assert_eq!(*given.lock().unwrap(), expected);
    host.then(|_| Err(HostError::coded("invalid", "no address").caused_by(Exception(3))));
    let error = channel.send(&told, &person).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(raised(&error), Some(&Exception(3)));
}
