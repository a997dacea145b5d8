//! Contacts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crm_core::companies::NewCompany;
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{
    Contact, ContactFilter, ContactKey, ContactPatch, ContactSort, CustomValue, Deleted,
    NewContact, NewEmail, NewPhone, PostalAddress,
};
use crm_core::{ContactId, ErrorKind, Page, Patch, Role, Session, SortKey};

use crate::case::cases;
use crate::env::{ALL, Env, ORDERS, ids, refused, search};

/// Every value filled, with text that breaks careless quoting, folding and cutting.
fn full_contact() -> NewContact {
    let text = |text: &str| Some(text.to_owned());
    let number = |json: &str| CustomValue::Number(serde_json::from_str(json).unwrap());
    NewContact {
        first_name: text("Zoë-Ünï\u{301} 🦀"),
        last_name: text("O'Hara; DROP TABLE \"contacts\" --"),
        display_name: text("株式会社 \u{202e}evil\u{202c} %_\\"),
        company: text("Ärzte & Söhne"),
        title: text("👩‍👩‍👧‍👦 chief"),
        emails: vec![
            NewEmail { address: "Zoë.OHara@Example.com".into(), label: text("work") },
            NewEmail { address: "z+tag@xn--bcher-kva.example".into(), label: None },
        ],
        phones: vec![
            NewPhone { number: None, raw: text("(425) 555-0123"), label: text("mobile") },
            NewPhone { number: None, raw: text("ask at the desk"), label: None },
        ],
        addresses: vec![
            PostalAddress {
                street: text("1 Main St\n2nd floor"),
                city: text("Łódź"),
                region: text("Łódzkie"),
                postal_code: text("90-001"),
                country: text("Polska"),
                label: text("home"),
            },
            PostalAddress { city: text("Zürich"), ..PostalAddress::default() },
        ],
        tags: vec!["vip".into(), "VIP".into(), "🦀".into(), "émile".into()],
        custom: BTreeMap::from([
            ("yes".into(), CustomValue::Bool(true)),
            ("whole".into(), number("-9007199254740993")),
            ("greatest".into(), number("18446744073709551615")),
            ("part".into(), number("0.1")),
            ("small".into(), number("2.2250738585072014e-308")),
            ("text".into(), CustomValue::Text("a\0b\r\n\u{1F980}\u{FFFD}".into())),
            ("looks like a number".into(), CustomValue::Text("1e5".into())),
            ("ключ 🗝".into(), CustomValue::Text(String::new())),
        ]),
        source: text("import"),
        ..NewContact::default()
    }
}

fn with_email(first: &str, email: &str) -> NewContact {
    NewContact::named(first, "Test").email(email)
}

fn emails(addresses: &[&str]) -> ContactPatch {
    let emails =
        addresses.iter().map(|address| NewEmail { address: (*address).into(), label: None });
    ContactPatch { emails: Patch::Set(emails.collect()), ..ContactPatch::default() }
}

async fn by_keys(
    env: &Env,
    session: &Session,
    keys: &[ContactKey],
) -> BTreeMap<ContactKey, ContactId> {
    let found = env.store.contacts_by_keys(session.scope(), keys).await.unwrap();
    let count = found.len();
    let found: BTreeMap<_, _> = found.into_iter().collect();
    assert_eq!(found.len(), count, "each key once");
    found
}

fn email_key(address: &str) -> ContactKey {
    ContactKey::Email(address.to_lowercase())
}

/// The order that a list promises.
fn in_order(sort: ContactSort, descending: bool, a: &Contact, b: &Contact) -> Ordering {
    let by_key = match sort {
        ContactSort::CreatedAt => a.created_at.cmp(&b.created_at),
        ContactSort::UpdatedAt => a.updated_at.cmp(&b.updated_at),
        ContactSort::LastName => a.sort_name().as_bytes().cmp(b.sort_name().as_bytes()),
    };
    let order = by_key.then(a.id.cmp(&b.id));
    if descending { order.reverse() } else { order }
}

/// Whether the filter means the contact, said in another way than a store would.
fn means(filter: &ContactFilter, contact: &Contact) -> bool {
    let has = |key: &ContactKey| match key {
        ContactKey::Email(email) => {
            contact.emails.iter().any(|own| own.address.as_str().to_lowercase() == *email)
        }
        ContactKey::Phone(phone) => contact
            .phones
            .iter()
            .any(|own| own.number.as_ref().is_some_and(|number| number.as_str() == phone)),
        ContactKey::Tag(tag) => contact.tags.contains(tag),
        ContactKey::Fingerprint(_) => contact.keys().contains(key),
    };
    let deleted = contact.deleted_at.is_some();
    !(filter.keys.iter().any(|key| !has(key))
        || filter.owner_id.is_some() && filter.owner_id != contact.owner_id
        || filter.company_id.is_some() && filter.company_id != contact.company_id
        || filter.created_after.is_some_and(|at| contact.created_at < at)
        || filter.created_before.is_some_and(|at| at <= contact.created_at)
        || filter.updated_after.is_some_and(|at| contact.updated_at < at)
        || filter.updated_before.is_some_and(|at| at <= contact.updated_at)
        || filter.deleted == Deleted::Exclude && deleted
        || filter.deleted == Deleted::Only && !deleted)
}

/// Two dozen contacts with every combination of values that a list can ask for: several made and
/// changed at one time, equal names, names that differ only in bytes, deleted ones.
async fn many(env: &Env, session: &Session) -> Vec<Contact> {
    let agent = env.colleague(session, "agent", Role::Agent).await.scope().actor().user();
    let owners = [None, agent];
    let new = NewCompany { name: "Initech".into(), domain: None };
    let companies = [None, None, Some(session.companies().create(new).await.unwrap().id)];
    let long = "x".repeat(200);
    let names = ["Müller", "muller", "Zeta", "\u{10348}", "\u{ffee}", long.as_str(), "", "Z"];
    let mut made = Vec::new();
    for number in 0..24 {
        let mut new = NewContact {
            first_name: (number % 5 > 0).then(|| "Ada".to_owned()),
            last_name: Some(names[number % names.len()].to_owned()),
            owner_id: owners[number % owners.len()],
            company_id: companies[number % companies.len()],
            ..NewContact::default()
        }
        .email(format!("person{number}@example.com"));
        if number % 2 == 0 {
            new = new.tag("vip");
        }
        if number % 3 == 0 {
            new = new.tag("émile 🦀");
        }
        if number % 4 == 0 {
            new = new.phone("+1 425 555 0123");
        }
        made.push(session.contacts().create(new).await.unwrap().id);
        env.clock.advance_micros(i64::from(number % 3 == 2));
    }
    for (number, id) in made.iter().enumerate() {
        if number % 6 == 1 {
            let title = Patch::Set("changed".to_owned());
            let patch = ContactPatch { title, ..ContactPatch::default() };
            session.contacts().update(*id, patch, None).await.unwrap();
        }
        if number % 7 == 3 {
            session.contacts().delete(*id, None).await.unwrap();
        }
        env.clock.advance_micros(i64::from(number % 8 == 0));
    }
    env.store.contacts_by_ids(session.scope(), &made).await.unwrap()
}

cases! {
    async fn contacts_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let new = || with_email("Ada", "ada@example.com").phone("+1 425 555 0123").tag("vip");
        let ada = acme.contacts().create(new()).await.unwrap();
        let namesake = other.contacts().create(new()).await.unwrap();

        let scope = other.scope();
        assert_eq!(env.store.contact(acme.scope(), ada.id).await.unwrap(), Some(ada.clone()));
        assert_eq!(env.store.contact(scope, ada.id).await.unwrap(), None);
        let both = [ada.id, namesake.id];
        let own = [namesake.clone()];
        assert_eq!(env.store.contacts_by_ids(scope, &both).await.unwrap(), own);
        let found = by_keys(env, &other, &ada.keys()).await;
        assert_eq!(found.len(), 3);
        assert!(found.values().all(|id| *id == namesake.id), "{found:?}");
        for key in ada.keys() {
            let filter = ContactFilter { keys: vec![key], ..ContactFilter::default() };
            assert_eq!(env.contacts(&other, filter.clone()).await, own);
            assert_eq!(env.store.count_contacts(scope, &filter).await.unwrap(), 1);
        }
        for (sort, descending) in ORDERS {
            let query = ContactQuery { sort, descending, limit: ALL, ..ContactQuery::default() };
            assert_eq!(env.store.contacts(scope, &query).await.unwrap(), own);
        }

        let contacts = other.contacts();
        refused(contacts.update(ada.id, emails(&[]), None).await, ErrorKind::NotFound);
        refused(contacts.delete(ada.id, None).await, ErrorKind::NotFound);
        acme.contacts().delete(ada.id, None).await.unwrap();
        refused(contacts.restore(ada.id).await, ErrorKind::NotFound);
        assert_eq!(env.store.contact(scope, namesake.id).await.unwrap(), Some(namesake));
    }

    async fn a_contact_is_read_as_written(env: &Env) {
        let session = env.tenant("acme").await;
        let owner_id = env.colleague(&session, "agent", Role::Agent).await.scope().actor().user();
        let new = NewCompany { name: "Initech".into(), domain: None };
        let company_id = Some(session.companies().create(new).await.unwrap().id);
        let full = NewContact { owner_id, company_id, ..full_contact() };
        let full = session.contacts().create(full).await.unwrap();
        let only = |first| NewContact { first_name: Some(first), ..NewContact::default() };
        let bare = session.contacts().create(only("X".to_owned())).await.unwrap();
        let long = session.contacts().create(only("🦀".repeat(255))).await.unwrap();
        let unnamed = session.contacts().create(NewContact::default().phone("12")).await.unwrap();
        for contact in [&full, &bare, &long, &unnamed] {
            let found = env.store.contact(session.scope(), contact.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(contact));
        }

        env.clock.advance_micros(1);
        let contacts = session.contacts();
        let patch = ContactPatch {
            first_name: Patch::Clear,
            company_id: Patch::Clear,
            owner_id: Patch::Clear,
            emails: Patch::Clear,
            addresses: Patch::Clear,
            custom: Patch::Set(BTreeMap::from([
                ("yes".into(), None),
                ("text".into(), Some(CustomValue::Bool(false))),
            ])),
            ..ContactPatch::default()
        };
        let changed = contacts.update(full.id, patch, Some(1)).await.unwrap();
        assert_eq!((changed.version, changed.custom.len()), (2, full.custom.len() - 1));
        let read = async || env.store.contact(session.scope(), full.id).await.unwrap();
        assert_eq!(read().await, Some(changed));
        env.clock.advance_micros(1);
        let deleted = contacts.delete(full.id, Some(2)).await.unwrap();
        assert!(deleted.deleted_at.is_some());
        assert_eq!(read().await, Some(deleted), "a deleted contact can be read");
        env.clock.advance_micros(1);
        let restored = contacts.restore(full.id).await.unwrap();
        assert_eq!((restored.version, restored.deleted_at), (4, None));
        assert_eq!(read().await, Some(restored));

        let unknown = ContactId::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(env.store.contact(session.scope(), unknown).await.unwrap(), None);
    }

    async fn contacts_come_in_the_order_asked_for(env: &Env) {
        let session = env.tenant("acme").await;
        let mut made = Vec::new();
        for number in 0..8 {
            let new = NewContact::named("Number", number.to_string());
            made.push(session.contacts().create(new).await.unwrap());
        }
        session.contacts().delete(made[3].id, None).await.unwrap();
        let unknown = ContactId::from_uuid(uuid::Uuid::from_u128(1));
        let asked: Vec<ContactId> =
            [5, 0, 7, 3].map(|at: usize| made[at].id).into_iter().chain([unknown]).collect();
        let found = env.store.contacts_by_ids(session.scope(), &asked).await.unwrap();
        assert_eq!(ids(&found), asked[..4], "without the unknown one");
        let many: Vec<ContactId> = (2..2000).map(uuid::Uuid::from_u128).map(ContactId::from_uuid)
            .chain([made[6].id, made[1].id]).collect();
        let found = env.store.contacts_by_ids(session.scope(), &many).await.unwrap();
        assert_eq!(ids(&found), [made[6].id, made[1].id], "of two thousand");
        assert!(env.store.contacts_by_ids(session.scope(), &[]).await.unwrap().is_empty());
    }

    async fn contact_emails_are_unique(env: &Env) {
        let session = env.tenant("acme").await;
        let contacts = session.contacts();
        let ada = contacts.create(with_email("Ada", "Ada@Example.com")).await.unwrap();
        let emil = contacts.create(with_email("Émil", "ÉMIL@example.com")).await.unwrap();
        for (email, holder) in [("aDA@example.COM", ada.id), ("émil@example.com", emil.id)] {
            let new = NewContact::named("Eve", "M").email("free@example.com").email(email);
            let error = refused(contacts.create(new).await, ErrorKind::AlreadyExists);
            assert_eq!(error.existing_id(), Some(holder.as_uuid()), "the holder is named");
            let error = refused(
                contacts.update(
                    if holder == ada.id { emil.id } else { ada.id },
                    emails(&["free@example.com", email]),
                    None,
                ).await,
                ErrorKind::AlreadyExists,
            );
            assert_eq!(error.existing_id(), Some(holder.as_uuid()));
        }
        assert_eq!(env.all_contacts(&session).await, [ada.clone(), emil], "nothing is left behind");
        assert_eq!(by_keys(env, &session, &[email_key("free@example.com")]).await, [].into());
        // Its own addresses in another spelling are no conflict.
        let patch = emails(&["free@example.com", "ADA@example.com"]);
        contacts.update(ada.id, patch, None).await.unwrap();
    }

    async fn deleting_frees_the_email(env: &Env) {
        let session = env.tenant("acme").await;
        let contacts = session.contacts();
        let new = || with_email("Ada", "ada@example.com").phone("+1 425 555 0123").tag("vip");
        let first = contacts.create(new()).await.unwrap();
        contacts.delete(first.id, None).await.unwrap();
        assert_eq!(by_keys(env, &session, &first.keys()).await, BTreeMap::new());
        let second = contacts.create(new()).await.unwrap();
        let found = by_keys(env, &session, &first.keys()).await;
        assert_eq!(found.len(), 3);
        assert!(found.values().all(|id| *id == second.id), "{found:?}");
        // Any number of deleted contacts may have had one address.
        contacts.delete(second.id, None).await.unwrap();
        let third = contacts.create(new()).await.unwrap();
        assert_eq!(by_keys(env, &session, &first.keys()).await.len(), 3);
        assert_eq!(env.contacts(&session, ContactFilter::default()).await, [third]);
    }

    async fn restoring_checks_the_email(env: &Env) {
        let session = env.tenant("acme").await;
        let contacts = session.contacts();
        let first = contacts.create(with_email("Ada", "ada@example.com")).await.unwrap();
        let deleted = contacts.delete(first.id, None).await.unwrap();
        let second = contacts.create(with_email("Ada", "ADA@example.com")).await.unwrap();
        let error = refused(contacts.restore(first.id).await, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(second.id.as_uuid()), "the holder is named");
        let found = env.store.contact(session.scope(), first.id).await.unwrap();
        assert_eq!(found, Some(deleted), "it is as it was");

        contacts.update(second.id, emails(&["other@example.com"]), None).await.unwrap();
        let restored = contacts.restore(first.id).await.unwrap();
        let keys = [email_key("ada@example.com")];
        assert_eq!(by_keys(env, &session, &keys).await[&keys[0]], restored.id);
        let back = contacts.update(second.id, emails(&["ada@example.com"]), None).await;
        let error = refused(back, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(restored.id.as_uuid()));
    }

    async fn contact_keys_follow_updates(env: &Env) {
        let session = env.tenant("acme").await;
        let contacts = session.contacts();
        let new = with_email("Ada", "ada@example.com").phone("+1 425 555 0123").tag("old");
        let before = contacts.create(new).await.unwrap();
        let patch = ContactPatch {
            phones: Patch::Set(vec![NewPhone {
                number: None,
                raw: Some("+1 425 555 0199".into()),
                label: None,
            }]),
            tags: Patch::Set(vec!["new".into()]),
            ..emails(&["lovelace@example.com"])
        };
        let after = contacts.update(before.id, patch, None).await.unwrap();
        let found = by_keys(env, &session, &after.keys()).await;
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(by_keys(env, &session, &before.keys()).await, BTreeMap::new());
        for (keys, count) in [(before.keys(), 0), (after.keys(), 1)] {
            for key in keys {
                let filter = ContactFilter { keys: vec![key.clone()], ..ContactFilter::default() };
                let found = env.store.count_contacts(session.scope(), &filter).await.unwrap();
                assert_eq!(found, count, "{key:?}");
            }
        }
        let heir = contacts.create(with_email("Eve", "ada@example.com")).await.unwrap();

        // Without e-mail and phone a contact is found by all that it holds.
        let patch = ContactPatch { phones: Patch::Clear, ..emails(&[]) };
        let plain = contacts.update(before.id, patch, None).await.unwrap();
        let fingerprint = plain.keys().swap_remove(0);
        assert!(matches!(fingerprint, ContactKey::Fingerprint(_)));
        let own = [fingerprint];
        assert_eq!(by_keys(env, &session, &own).await[&own[0]], plain.id);
        let patch = ContactPatch { title: Patch::Set("Countess".into()), ..Default::default() };
        contacts.update(plain.id, patch, None).await.unwrap();
        assert_eq!(by_keys(env, &session, &own).await, BTreeMap::new());
        let freed = [email_key("ada@example.com")];
        assert_eq!(by_keys(env, &session, &freed).await[&freed[0]], heir.id);
    }

    async fn a_shared_key_names_the_first_contact(env: &Env) {
        let session = env.tenant("acme").await;
        let contacts = session.contacts();
        let mut made = Vec::new();
        for number in 0..4 {
            let new = NewContact::named("Number", number.to_string());
            let new = new.phone("+1 425 555 0123").tag("vip");
            made.push(contacts.create(new).await.unwrap().id);
        }
        let phone = ContactKey::Phone("+14255550123".into());
        let tag = ContactKey::Tag("vip".into());
        // A tag is compared as written, and a value of one kind is none of another.
        let strangers = [ContactKey::Tag("VIP".into()), ContactKey::Email("vip".into())];
        let keys = [tag.clone(), strangers[0].clone(), phone.clone(), strangers[1].clone()];
        let first = |id| BTreeMap::from([(phone.clone(), id), (tag.clone(), id)]);
        assert_eq!(by_keys(env, &session, &keys).await, first(made[0]));
        contacts.delete(made[0], None).await.unwrap();
        assert_eq!(by_keys(env, &session, &keys).await, first(made[1]));
        contacts.restore(made[0]).await.unwrap();
        assert_eq!(by_keys(env, &session, &keys).await, first(made[0]));
        assert_eq!(by_keys(env, &session, &[]).await, BTreeMap::new());
    }

    async fn contacts_are_filtered(env: &Env) {
        let session = env.tenant("acme").await;
        let all = many(env, &session).await;
        let tag = |tag: &str| ContactKey::Tag(tag.to_owned());
        let phone = ContactKey::Phone("+14255550123".into());
        let owner_id = all.iter().find_map(|contact| contact.owner_id);
        let company_id = all.iter().find_map(|contact| contact.company_id);
        let (early, late) = (all[6].created_at, all[15].updated_at);
        // Made from and before, changed from and before.
        let times = [
            [None; 4],
            [Some(early), None, None, None],
            [None, Some(early), None, None],
            [None, None, Some(late), None],
            [None, None, None, Some(late)],
            [Some(early), Some(all[20].created_at), Some(early), Some(late)],
        ];
        for keys in [
            vec![],
            vec![tag("vip")],
            vec![tag("vip"), tag("émile 🦀")],
            vec![phone.clone(), tag("émile 🦀")],
            vec![email_key("person6@example.com")],
            vec![tag("VIP")],
            vec![tag("vip"), tag("nobody")],
        ] {
            for (owner_id, company_id) in [
                (None, None), (owner_id, None), (None, company_id), (owner_id, company_id),
            ] {
                for (time, (sort, descending)) in times.into_iter().zip(ORDERS) {
                    for deleted in [Deleted::Exclude, Deleted::Include, Deleted::Only] {
                        let keys = keys.clone();
                        let [created_after, created_before, updated_after, updated_before] = time;
                        let filter = ContactFilter {
                            keys, owner_id, company_id, created_after, created_before,
                            updated_after, updated_before, deleted,
                        };
                        let mut expected: Vec<Contact> =
                            all.iter().filter(|one| means(&filter, one)).cloned().collect();
                        expected.sort_by(|a, b| in_order(sort, descending, a, b));
                        let query = ContactQuery {
                            filter, sort, descending, after: None, limit: ALL,
                        };
                        let found = env.store.contacts(session.scope(), &query).await.unwrap();
                        assert_eq!(ids(&found), ids(&expected), "{query:?}");
                    }
                }
            }
        }
    }

    async fn contact_pages_are_whole(env: &Env) {
        let session = env.tenant("acme").await;
        let all = many(env, &session).await;
        for (sort, descending) in ORDERS {
            for deleted in [Deleted::Exclude, Deleted::Include, Deleted::Only] {
                let filter = ContactFilter { deleted, ..ContactFilter::default() };
                let mut expected: Vec<Contact> =
                    all.iter().filter(|one| means(&filter, one)).cloned().collect();
                expected.sort_by(|a, b| in_order(sort, descending, a, b));
                for limit in [1, 2, 5, expected.len()] {
                    let mut walked: Vec<Contact> = Vec::new();
                    let mut after: Option<(SortKey, uuid::Uuid)> = None;
                    loop {
                        let filter = filter.clone();
                        let query = ContactQuery { filter, sort, descending, after, limit };
                        let page = env.store.contacts(session.scope(), &query).await.unwrap();
                        assert!(page.len() <= limit, "{} on a page of {limit}", page.len());
                        let Some(last) = page.last() else { break };
                        after = Some((sort.key_of(last), last.id.as_uuid()));
                        walked.extend(page);
                        assert!(walked.len() < ALL, "the pages have no end");
                    }
                    assert_eq!(walked, expected, "{sort:?} {descending} {deleted:?} {limit}");
                }
            }
        }

        // The place after the last contact seen stays a place when that contact goes.
        let page = Page::first(5);
        let list = async |page: &Page| {
            let filter = ContactFilter::default();
            session.contacts().list(&filter, ContactSort::LastName, false, page).await.unwrap()
        };
        let (first, ten) = (list(&page).await, list(&Page::first(10)).await);
        session.contacts().delete(first.items[4].id, None).await.unwrap();
        let second = list(&Page::after(first.next_cursor.unwrap(), 5)).await;
        assert_eq!(ids(&second.items), ids(&ten.items[5..]));
    }

    async fn contacts_are_counted(env: &Env) {
        let session = env.tenant("acme").await;
        let all = many(env, &session).await;
        let owner_id = all.iter().find_map(|contact| contact.owner_id);
        let tag = ContactKey::Tag("vip".into());
        for deleted in [Deleted::Exclude, Deleted::Include, Deleted::Only] {
            for keys in [vec![], vec![tag.clone()], vec![tag.clone(), tag.clone()]] {
                for owner_id in [None, owner_id] {
                    for created_after in [None, Some(all[9].created_at)] {
                        let keys = keys.clone();
                        let filter = ContactFilter {
                            keys, deleted, owner_id, created_after, ..ContactFilter::default()
                        };
                        let count =
                            env.store.count_contacts(session.scope(), &filter).await.unwrap();
                        let expected = all.iter().filter(|one| means(&filter, one)).count();
                        assert_eq!(usize::try_from(count).unwrap(), expected, "{filter:?}");
                    }
                }
            }
        }
        let nobody = env.tenant("other").await;
        let filter = ContactFilter::default();
        assert_eq!(env.store.count_contacts(nobody.scope(), &filter).await.unwrap(), 0);
        assert!(search(&nobody, "ada").await.is_empty());
    }
}
