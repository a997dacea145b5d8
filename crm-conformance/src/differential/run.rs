//! Runs commands on both stores and compares what comes of them.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use crm_core::activities::{ActivityFilter, NewActivity, StatsGroupBy};
use crm_core::companies::{CompanyKey, CompanyPatch, NewCompany};
use crm_core::contacts::service::SearchSort;
use crm_core::contacts::{
    ContactFilter, ContactKey, ContactPatch, CustomValue, Deleted, NewContact, NewEmail, NewPhone,
};
use crm_core::events::EventPosition;
use crm_core::idempotency::Idempotent;
use crm_core::identity::{NewApiKey, NewUser, Secret, SignInName, UserPatch};
use crm_core::ports::Store;
use crm_core::{
    ApiKeyId, CompanyId, ContactId, Crm, EmailAddress, EntityRef, Error, Page, PageOf, Patch,
    Principal, Result, Role, Session, Timestamp, UserId,
};

use super::command::{
    Action, ActivitiesFilter, Command, Deed, Filter, Nth, PHONE_KEY, Person, PersonPatch,
};
use crate::clock::{SeededRandomness, TestClock};
use crate::env::{ORDERS, activate, identity, new_tenant};
use crate::factory::{Factory, Fresh};
use crate::faulty::FaultyStore;
use crate::snapshot::snapshot;

const TENANTS: usize = 3;

/// More pages than the commands can fill; a store that loses its place would go on for ever.
const MOST_PAGES: usize = 400;

/// One of the two stores, with a CRM that makes the same ids as the other's.
struct Side {
    crm: Crm,
    store: Arc<dyn Store>,
    clock: TestClock,
    start: Timestamp,
    /// Of each tenant its operator, an agent and a viewer.
    sessions: Vec<[Session; 3]>,
    known: Vec<Known>,
    _keep: Box<dyn Any + Send + Sync>,
}

/// The ids that a tenant's commands can name.
#[derive(Default)]
struct Known {
    users: Vec<UserId>,
    companies: Vec<CompanyId>,
    contacts: Vec<ContactId>,
    api_keys: Vec<(ApiKeyId, Secret)>,
}

/// Runs `commands` on a fresh store of each factory; the error says where they part.
pub(super) async fn compare(
    reference: &dyn Factory,
    subject: &dyn Factory,
    commands: &[Command],
) -> Result<(), String> {
    let failed = |error: Error| format!("no store to compare: {error:?}");
    let mut left = Side::new(reference).await.map_err(failed)?;
    let mut right = Side::new(subject).await.map_err(failed)?;
    // Once on the way and once at the end, so that what was read before is read again.
    let (first, second) = commands.split_at(commands.len() / 2);
    for (commands, when) in [(first, "halfway"), (second, "at the end")] {
        for command in commands {
            let (a, b) = (left.answer(command).await, right.answer(command).await);
            same(&command.to_string(), &a, &b)?;
        }
        for tenant in 0..TENANTS {
            let (a, b) = (left.everything(tenant).await, right.everything(tenant).await);
            for (a, b) in a.iter().zip(&b) {
                same(&format!("{when}, tenant {tenant}"), a, b)?;
            }
            same(&format!("{when}, tenant {tenant}, lines"), &a.len(), &b.len())?;
        }
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, reference: &T, subject: &T) -> Result<(), String> {
    if reference == subject {
        return Ok(());
    }
    Err(format!("{what}\nreference: {reference:?}\n  subject: {subject:?}"))
}

/// Follows a list to its end.
async fn walk<T: Debug>(
    limit: u16,
    mut next: impl AsyncFnMut(Page) -> Result<PageOf<T>>,
) -> Result<String> {
    let mut text = String::new();
    let mut page = Page::first(limit);
    for _ in 0..MOST_PAGES {
        let found = next(page).await?;
        text += &format!("{:?}\n", found.items);
        match found.next_cursor {
            Some(cursor) => page = Page::after(cursor, limit),
            None => return Ok(text),
        }
    }
    Ok(text + "and so on without an end")
}

fn put<T>(known: &mut Vec<T>, id: T) {
    known.push(id);
}

impl Side {
    async fn new(factory: &dyn Factory) -> Result<Self> {
        let Fresh { store, keep } = factory.fresh().await?;
        let clock = TestClock::default();
        let start = crm_core::ports::Clock::now(&clock);
        let crm = Crm::builder(FaultyStore::new(Arc::clone(&store)))
            .clock(clock.clone())
            .randomness(SeededRandomness::new(11))
            .build()?;
        let mut sessions = Vec::new();
        let mut known = Vec::new();
        let system = crm.system("compare two stores")?;
        for number in 0..TENANTS {
            let new = new_tenant(&format!("tenant-{number}"));
            let (tenant, owner) = system.create_tenant(new).await?;
            let operator = system.session(tenant.id).await?;
            let mut users = vec![owner.id];
            let mut signed_in = Vec::new();
            for role in [Role::Agent, Role::Viewer] {
                let email = format!("{}@tenant.example", role.as_str());
                let user =
                    operator.users().create(NewUser { email, full_name: None, role }).await?.user;
                activate(&operator, user.id).await?;
                let principal = Principal::User { tenant: tenant.id, user: user.id };
                signed_in.push(crm.session(principal).await?);
                users.push(user.id);
            }
            let viewer = signed_in.remove(1);
            sessions.push([operator, signed_in.remove(0), viewer]);
            known.push(Known { users, ..Known::default() });
        }
        Ok(Side { crm, store, clock, start, sessions, known, _keep: keep })
    }

    fn of(&self, tenant: usize, nth: Nth) -> &Known {
        &self.known[if nth.foreign { (tenant + 1) % TENANTS } else { tenant }]
    }

    fn user(&self, tenant: usize, nth: Nth) -> UserId {
        let users = &self.of(tenant, nth).users;
        users[nth.at % users.len()]
    }

    /// A company; one that nobody has made, where there is none yet.
    fn company(&self, tenant: usize, nth: Nth) -> CompanyId {
        let companies = &self.of(tenant, nth).companies;
        let unknown = CompanyId::from_uuid(uuid::Uuid::from_u128(1));
        companies.get(nth.at % companies.len().max(1)).copied().unwrap_or(unknown)
    }

    /// A contact; one that nobody has made, where there is none yet.
    fn contact(&self, tenant: usize, nth: Nth) -> ContactId {
        let contacts = &self.of(tenant, nth).contacts;
        let unknown = ContactId::from_uuid(uuid::Uuid::from_u128(1));
        contacts.get(nth.at % contacts.len().max(1)).copied().unwrap_or(unknown)
    }

    fn api_key(&self, tenant: usize, nth: usize) -> Option<&(ApiKeyId, Secret)> {
        let keys = &self.known[tenant].api_keys;
        keys.get(nth % keys.len().max(1))
    }

    fn crm_now(&self) -> Timestamp {
        crm_core::ports::Clock::now(&self.clock)
    }

    fn time(&self, micros: i64) -> Timestamp {
        self.start.saturating_add_micros(micros)
    }

    /// The answer to a command as text, errors by what a caller can rely on.
    async fn answer(&mut self, command: &Command) -> String {
        match self.run(command).await {
            Ok(text) => text,
            Err(error) => {
                let fields: Vec<_> =
                    error.fields().iter().map(|field| (&field.field, &field.code)).collect();
                format!("{} {:?} {fields:?}", error.kind(), error.existing_id())
            }
        }
    }

    async fn run(&mut self, command: &Command) -> Result<String> {
        let tenant = command.tenant;
        let session = self.sessions[tenant][command.actor].clone();
        Ok(match &command.action {
            Action::Tick(micros) => {
                self.clock.advance_micros(*micros);
                String::new()
            }
            Action::CreateTenant { slug } => {
                let system = self.crm.system("make a tenant of the commands")?;
                format!("{:?}", system.create_tenant(new_tenant(slug)).await?)
            }
            Action::CreateUser { email, role } => {
                let email = (*email).to_owned();
                let new = NewUser { email, full_name: None, role: *role };
                let user = session.users().create(new).await?.user;
                put(&mut self.known[tenant].users, user.id);
                format!("{user:?}")
            }
            Action::UpdateUser { user, name, role, status } => {
                let (role, status) = (role.clone(), status.clone());
                let patch = UserPatch { full_name: owned(name), role, status };
                let user = self.user(tenant, *user);
                format!("{:?}", session.users().update(user, patch, None).await?)
            }
            Action::GetUser(user) => {
                format!("{:?}", session.users().get(self.user(tenant, *user)).await?)
            }
            Action::FindAccounts { email } => {
                let Ok(email) = EmailAddress::parse(email) else { return Ok(String::new()) };
                let name = SignInName::of_email(&email);
                let system = self.crm.system("compare two stores")?;
                format!("{:?}", self.store.accounts(system.scope(), &name, 5).await?)
            }
            Action::CreateApiKey { name, lasts } => {
                let now = self.crm_now();
                let new = NewApiKey {
                    name: (*name).to_owned(),
                    role: Role::Agent,
                    scopes: vec!["contacts:read".to_owned()],
                    expires_at: lasts.map(|micros| now.saturating_add_micros(micros)),
                };
                let made = session.api_keys().create(new).await?;
                put(&mut self.known[tenant].api_keys, (made.api_key.id, made.secret));
                format!("{:?}", made.api_key)
            }
            Action::UseApiKey(nth) => {
                let Some((_, secret)) = self.api_key(tenant, *nth) else {
                    return Ok(String::new());
                };
                let session = identity(&self.crm, "program").authenticate(secret.reveal()).await?;
                format!("{:?}", session.account().me().await?)
            }
            Action::RevokeApiKey(nth) => {
                let Some((id, _)) = self.api_key(tenant, *nth) else { return Ok(String::new()) };
                format!("{:?}", session.api_keys().revoke(*id).await?)
            }
            Action::ListApiKeys { limit } => {
                let keys = session.api_keys();
                walk(*limit, async |page| keys.list(&page).await).await?
            }
            Action::CreateOnce { key, request, name } => {
                match session.idempotent(&key.parse()?, request.as_bytes()).await? {
                    Idempotent::Again(made) => made,
                    Idempotent::First(first) => {
                        let new = NewContact::named(*name, "Once");
                        let contact = first.contacts().create(new).await?;
                        put(&mut self.known[tenant].contacts, contact.id);
                        format!("{contact:?}")
                    }
                }
            }
            Action::CreateCompany { name, domain } => {
                let (name, domain) = ((*name).to_owned(), domain.map(str::to_owned));
                let company = session.companies().create(NewCompany { name, domain }).await?;
                put(&mut self.known[tenant].companies, company.id);
                format!("{company:?}")
            }
            Action::UpdateCompany { company, name, domain } => {
                let patch = CompanyPatch { name: owned(name), domain: owned(domain) };
                let company = self.company(tenant, *company);
                format!("{:?}", session.companies().update(company, patch, None).await?)
            }
            Action::FindCompany { name } => {
                format!("{:?}", session.companies().find(&CompanyKey::name(name)).await?)
            }
            Action::CreateContact(person) => {
                let contact = session.contacts().create(self.person(tenant, person)).await?;
                put(&mut self.known[tenant].contacts, contact.id);
                format!("{contact:?}")
            }
            Action::CreateContacts(people) => {
                let mut planned = Vec::new();
                let mut unit: Option<crm_core::Changes> = None;
                for person in people {
                    let new = self.person(tenant, person);
                    let (contact, changes) = session.contacts().plan_create(new).await?;
                    planned.push(contact.id);
                    unit = Some(match unit {
                        Some(unit) => unit.and(changes)?,
                        None => changes,
                    });
                }
                if let Some(unit) = unit {
                    self.store.commit(unit).await?;
                }
                self.known[tenant].contacts.extend(&planned);
                format!("{planned:?}")
            }
            Action::UpdateContact { contact, patch, version } => {
                let patch = self.patch(tenant, patch);
                let contact = self.contact(tenant, *contact);
                format!("{:?}", session.contacts().update(contact, patch, *version).await?)
            }
            Action::DeleteContact { contact, version } => {
                let contact = self.contact(tenant, *contact);
                format!("{:?}", session.contacts().delete(contact, *version).await?)
            }
            Action::RestoreContact(contact) => {
                let contact = self.contact(tenant, *contact);
                format!("{:?}", session.contacts().restore(contact).await?)
            }
            Action::GetContact(contact) => {
                format!("{:?}", session.contacts().get(self.contact(tenant, *contact)).await?)
            }
            Action::ListContacts { filter, sort, descending, limit } => {
                let filter = self.filter(tenant, filter);
                let contacts = session.contacts();
                let listed = walk(*limit, async |page| {
                    contacts.list(&filter, *sort, *descending, &page).await
                });
                format!("{} {}", contacts.count(&filter).await?, listed.await?)
            }
            Action::Search { text, by_time, limit } => {
                let sort = if *by_time { SearchSort::UpdatedAt } else { SearchSort::Relevance };
                let contacts = session.contacts();
                walk(*limit, async |page| contacts.search_by(text, sort, &page).await).await?
            }
            Action::Log(deeds) => {
                let news: Vec<_> = deeds.iter().map(|deed| self.deed(tenant, deed)).collect();
                match news.as_slice() {
                    [one] => format!("{:?}", session.activities().create(one.clone()).await?),
                    many => format!("{:?}", session.activities().create_all(many.to_vec()).await?),
                }
            }
            Action::Timeline { contact, limit } => {
                let contact = self.contact(tenant, *contact);
                let activities = session.activities();
                walk(*limit, async |page| activities.timeline(contact, &page).await).await?
            }
            Action::Activities { filter, limit } => {
                let filter = self.activities_filter(tenant, filter);
                let activities = session.activities();
                walk(*limit, async |page| activities.list(&filter, &page).await).await?
            }
            Action::Stats { filter, group_by } => {
                let filter = self.activities_filter(tenant, filter);
                format!("{:?}", session.activities().stats(&filter, *group_by).await?)
            }
            Action::Audit { contact, limit } => {
                let about = contact.map(|nth| EntityRef::from(self.contact(tenant, nth)));
                let audit = session.audit();
                walk(*limit, async |page| audit.list(about, &page).await).await?
            }
            Action::Events { skip, limit } => {
                let all = session.events().after(EventPosition::START, 1000).await?;
                let after = all.get(*skip).map_or(EventPosition::START, |event| event.position);
                let events = session.events().after(after, *limit).await?;
                format!("{:?}", events.iter().map(|recorded| &recorded.event).collect::<Vec<_>>())
            }
        })
    }

    /// All that the tenant has, by every way to it.
    async fn everything(&self, tenant: usize) -> Vec<String> {
        let operator = &self.sessions[tenant][0];
        let mut lines = match snapshot(&*self.store, operator.scope()).await {
            Ok(lines) => lines,
            Err(error) => return vec![format!("{error:?}")],
        };
        let text = |result: Result<String>| result.unwrap_or_else(|error| format!("{error:?}"));
        let contacts = operator.contacts();
        for (sort, descending) in ORDERS {
            for deleted in [Deleted::Exclude, Deleted::Only] {
                let filter = ContactFilter { deleted, ..ContactFilter::default() };
                let listed =
                    walk(7, async |page| contacts.list(&filter, sort, descending, &page).await);
                lines.push(text(listed.await));
            }
        }
        let activities = operator.activities();
        for contact in &self.known[tenant].contacts {
            let timeline = walk(3, async |page| activities.timeline(*contact, &page).await);
            lines.push(text(timeline.await));
        }
        for group_by in [StatsGroupBy::Kind, StatsGroupBy::User, StatsGroupBy::Day] {
            let stats = activities.stats(&ActivityFilter::default(), group_by).await;
            lines.push(text(stats.map(|stats| format!("{stats:?}"))));
        }
        for query in ["ada lovelaec", "bob", "zoe", "muller", "o'hara", "4255550123", "example"] {
            let hits = walk(5, async |page| contacts.search(query, &page).await).await;
            lines.push(text(hits));
        }
        lines
    }

    fn person(&self, tenant: usize, person: &Person) -> NewContact {
        let mut new = NewContact {
            first_name: person.first.map(str::to_owned),
            last_name: person.last.map(str::to_owned),
            company: person.company.map(str::to_owned),
            company_id: person.company_id.map(|nth| self.company(tenant, nth)),
            owner_id: person.owner_id.map(|nth| self.user(tenant, nth)),
            emails: emails(&person.emails),
            phones: person.phone.map(phone).into_iter().collect(),
            tags: person.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..NewContact::default()
        };
        if let Some(number) = person.number.and_then(serde_json::Number::from_f64) {
            new.custom.insert("number".to_owned(), CustomValue::Number(number));
        }
        new
    }

    fn patch(&self, tenant: usize, patch: &PersonPatch) -> ContactPatch {
        let tags = |tags: Vec<&'static str>| tags.into_iter().map(str::to_owned).collect();
        ContactPatch {
            first_name: owned(&patch.first),
            last_name: owned(&patch.last),
            emails: map(&patch.emails, |all| emails(&all)),
            phones: map(&patch.phone, |number| vec![phone(number)]),
            tags: map(&patch.tags, tags),
            title: owned(&patch.title),
            company_id: map(&patch.company_id, |nth| self.company(tenant, nth)),
            owner_id: map(&patch.owner_id, |nth| self.user(tenant, nth)),
            ..ContactPatch::default()
        }
    }

    fn filter(&self, tenant: usize, filter: &Filter) -> ContactFilter {
        let tags = filter.tags.iter().map(|tag| ContactKey::Tag((*tag).to_owned()));
        let email = filter.email.map(|email| ContactKey::Email(email.to_lowercase()));
        let phone = filter.phone.then(|| ContactKey::Phone(PHONE_KEY.to_owned()));
        let time = |micros: Option<i64>| micros.map(|micros| self.time(micros));
        ContactFilter {
            keys: tags.chain(email).chain(phone).collect(),
            owner_id: filter.owner_id.map(|nth| self.user(tenant, nth)),
            company_id: filter.company_id.map(|nth| self.company(tenant, nth)),
            created_after: time(filter.created[0]),
            created_before: time(filter.created[1]),
            updated_after: time(filter.updated[0]),
            updated_before: time(filter.updated[1]),
            deleted: filter.deleted,
        }
    }

    fn deed(&self, tenant: usize, deed: &Deed) -> NewActivity {
        NewActivity {
            body: deed.body.map(str::to_owned),
            occurred_at: deed.at.map(|micros| self.time(micros)),
            ..NewActivity::of(self.contact(tenant, deed.contact), deed.kind)
        }
    }

    fn activities_filter(&self, tenant: usize, filter: &ActivitiesFilter) -> ActivityFilter {
        ActivityFilter {
            contact_id: filter.contact.map(|nth| self.contact(tenant, nth)),
            kind: filter.kind,
            user_id: filter.user.map(|nth| self.user(tenant, nth)),
            from: filter.range[0].map(|micros| self.time(micros)),
            to: filter.range[1].map(|micros| self.time(micros)),
        }
    }
}

fn emails(addresses: &[&str]) -> Vec<NewEmail> {
    let email = |address: &&str| NewEmail { address: (*address).to_owned(), label: None };
    addresses.iter().map(email).collect()
}

fn phone(number: &str) -> NewPhone {
    NewPhone { number: None, raw: Some(number.to_owned()), label: None }
}

fn owned(patch: &Patch<&'static str>) -> Patch<String> {
    map(patch, str::to_owned)
}

fn map<T: Clone, U>(patch: &Patch<T>, change: impl FnOnce(T) -> U) -> Patch<U> {
    match patch.clone() {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(value) => Patch::Set(change(value)),
    }
}
