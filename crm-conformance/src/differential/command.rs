//! The commands, drawn from small sets of values so that they meet.

use std::fmt;

use crm_core::activities::{ActivityKind, StatsGroupBy};
use crm_core::contacts::{ContactSort, Deleted};
use crm_core::identity::UserStatus;
use crm_core::{Patch, Role};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// One command of one actor in one tenant.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// Of the three tenants.
    pub(super) tenant: usize,
    /// The operator, an agent or a viewer.
    pub(super) actor: usize,
    pub(super) action: Action,
}

/// One of the records made so far, counted round; now and then one of the next tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nth {
    pub(super) at: usize,
    pub(super) foreign: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    Tick(i64),
    CreateTenant {
        slug: &'static str,
    },
    CreateUser {
        email: &'static str,
        role: Role,
    },
    UpdateUser {
        user: Nth,
        name: Patch<&'static str>,
        role: Patch<Role>,
        status: Patch<UserStatus>,
    },
    GetUser(Nth),
    /// Everybody who signs in with an address.
    FindAccounts {
        email: &'static str,
    },
    CreateApiKey {
        name: &'static str,
        /// Microseconds from now.
        lasts: Option<i64>,
    },
    /// Comes in by a key and says who it is.
    UseApiKey(usize),
    RevokeApiKey(usize),
    ListApiKeys {
        limit: u16,
    },
    /// Makes a contact under one of a few idempotency keys, as one of a few requests.
    CreateOnce {
        key: &'static str,
        request: &'static str,
        name: &'static str,
    },
    CreateCompany {
        name: &'static str,
        domain: Option<&'static str>,
    },
    UpdateCompany {
        company: Nth,
        name: Patch<&'static str>,
        domain: Patch<&'static str>,
    },
    FindCompany {
        name: &'static str,
    },
    CreateContact(Person),
    /// Several contacts as one unit.
    CreateContacts(Vec<Person>),
    UpdateContact {
        contact: Nth,
        patch: PersonPatch,
        version: Option<i64>,
    },
    DeleteContact {
        contact: Nth,
        version: Option<i64>,
    },
    RestoreContact(Nth),
    GetContact(Nth),
    ListContacts {
        filter: Filter,
        sort: ContactSort,
        descending: bool,
        limit: u16,
    },
    Search {
        text: String,
        by_time: bool,
        limit: u16,
    },
    Log(Vec<Deed>),
    Timeline {
        contact: Nth,
        limit: u16,
    },
    Activities {
        filter: ActivitiesFilter,
        limit: u16,
    },
    Stats {
        filter: ActivitiesFilter,
        group_by: StatsGroupBy,
    },
    Audit {
        contact: Option<Nth>,
        limit: u16,
    },
    Events {
        skip: usize,
        limit: usize,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) first: Option<&'static str>,
    pub(super) last: Option<&'static str>,
    pub(super) emails: Vec<&'static str>,
    pub(super) phone: Option<&'static str>,
    pub(super) tags: Vec<&'static str>,
    pub(super) company: Option<&'static str>,
    pub(super) company_id: Option<Nth>,
    pub(super) owner_id: Option<Nth>,
    pub(super) number: Option<f64>,
}

#[derive(Debug, Clone)]
pub(super) struct PersonPatch {
    pub(super) first: Patch<&'static str>,
    pub(super) last: Patch<&'static str>,
    pub(super) emails: Patch<Vec<&'static str>>,
    pub(super) phone: Patch<&'static str>,
    pub(super) tags: Patch<Vec<&'static str>>,
    pub(super) title: Patch<&'static str>,
    pub(super) company_id: Patch<Nth>,
    pub(super) owner_id: Patch<Nth>,
}

#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) email: Option<&'static str>,
    pub(super) phone: bool,
    pub(super) tags: Vec<&'static str>,
    pub(super) owner_id: Option<Nth>,
    pub(super) company_id: Option<Nth>,
    /// Microseconds since the start.
    pub(super) created: [Option<i64>; 2],
    pub(super) updated: [Option<i64>; 2],
    pub(super) deleted: Deleted,
}

#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) contact: Nth,
    pub(super) kind: ActivityKind,
    pub(super) body: Option<&'static str>,
    /// Microseconds since the start.
    pub(super) at: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct ActivitiesFilter {
    pub(super) contact: Option<Nth>,
    pub(super) user: Option<Nth>,
    pub(super) kind: Option<ActivityKind>,
    pub(super) range: [Option<i64>; 2],
}

pub(super) const PHONE: &str = "+1 425 555 0123";
pub(super) const PHONE_KEY: &str = "+14255550123";
const EMAILS: &[&str] = &[
    "ada@example.com",
    "ADA@example.com",
    "bob@example.com",
    "zoë@example.com",
    "ZOË@example.com",
    "eve@example.com",
    "no address",
];
const NAMES: &[&str] = &[
    "Ada",
    "Zoë",
    "Zoe",
    "Robert",
    "Bob",
    "O'Hara",
    "株式会社",
    "Müller",
    "muller",
    "🦀",
    " ",
    "Lovelace",
    "a\0b",
];
const TAGS: &[&str] = &["vip", "VIP", "émile 🦀", "x"];
const COMPANIES: &[&str] = &["Initech", "INITECH!", "Ärzte & Söhne", "Arzte Sohne", "--", ""];
const DOMAINS: &[&str] = &["a.example", "A.example", "b.example", "no domain"];
const TEXTS: &[&str] = &["hello", "", "nul \0 and 🦀", "'; --"];
/// Microseconds that clocks and filters use, so that they meet.
const TIMES: &[i64] = &[0, 1, 1_000, 1_000_000, 86_400_000_000];

fn nth() -> impl Strategy<Value = Nth> {
    (0..8_usize, prop::bool::weighted(0.1)).prop_map(|(at, foreign)| Nth { at, foreign })
}

fn patch<T: Clone + fmt::Debug>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Patch<T>> {
    prop_oneof![
        4 => Just(()).prop_map(|()| Patch::Keep),
        1 => Just(()).prop_map(|()| Patch::Clear),
        3 => value.prop_map(Patch::Set),
    ]
}

fn since_start() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.25, select(TIMES))
}

fn version() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.3, 1..5_i64)
}

fn limit() -> impl Strategy<Value = u16> {
    select(&[1_u16, 2, 3, 50][..])
}

fn person() -> impl Strategy<Value = Person> {
    let names = (of(select(NAMES)), of(select(NAMES)), vec(select(EMAILS), 0..3));
    let rest = (
        of(Just(PHONE)),
        vec(select(TAGS), 0..3),
        of(select(COMPANIES)),
        prop::option::weighted(0.2, nth()),
        prop::option::weighted(0.2, nth()),
        of(any::<f64>().prop_filter("JSON has no other", |number| number.is_finite())),
    );
    (names, rest).prop_map(
        |((first, last, emails), (phone, tags, company, company_id, owner_id, number))| Person {
            first,
            last,
            emails,
            phone,
            tags,
            company,
            company_id,
            owner_id,
            number,
        },
    )
}

fn person_patch() -> impl Strategy<Value = PersonPatch> {
    (
        patch(select(NAMES)),
        patch(select(NAMES)),
        patch(vec(select(EMAILS), 0..3)),
        patch(Just(PHONE)),
        patch(vec(select(TAGS), 0..3)),
        patch(select(NAMES)),
        patch(nth()),
        patch(nth()),
    )
        .prop_map(|(first, last, emails, phone, tags, title, company_id, owner_id)| {
            PersonPatch { first, last, emails, phone, tags, title, company_id, owner_id }
        })
}

fn filter() -> impl Strategy<Value = Filter> {
    (
        prop::option::weighted(0.2, select(EMAILS)),
        prop::bool::weighted(0.2),
        vec(select(TAGS), 0..2),
        prop::option::weighted(0.2, nth()),
        prop::option::weighted(0.2, nth()),
        [since_start(), since_start()],
        [since_start(), since_start()],
        select(&[Deleted::Exclude, Deleted::Include, Deleted::Only][..]),
    )
        .prop_map(|(email, phone, tags, owner_id, company_id, created, updated, deleted)| {
            Filter { email, phone, tags, owner_id, company_id, created, updated, deleted }
        })
}

fn deed() -> impl Strategy<Value = Deed> {
    let at = prop::option::weighted(0.5, select(TIMES));
    (nth(), select(ActivityKind::ALL), of(select(TEXTS)), at)
        .prop_map(|(contact, kind, body, at)| Deed { contact, kind, body, at })
}

fn activities_filter() -> impl Strategy<Value = ActivitiesFilter> {
    let kind = prop::option::weighted(0.3, select(ActivityKind::ALL));
    (of(nth()), of(nth()), kind, [since_start(), since_start()])
        .prop_map(|(contact, user, kind, range)| ActivitiesFilter { contact, user, kind, range })
}

fn text() -> impl Strategy<Value = String> {
    let cut = |name: &str, at: usize| name.chars().take(at).collect::<String>();
    prop_oneof![
        select(NAMES).prop_map(str::to_owned),
        (select(NAMES), select(NAMES)).prop_map(|(first, last)| format!("{last} {first}")),
        (select(NAMES), 1..4_usize).prop_map(move |(name, at)| cut(name, at)),
        select(EMAILS).prop_map(str::to_owned),
        select(COMPANIES).prop_map(str::to_owned),
        select(&["lovelaec", "0123", "425 555", "", "\"*\" OR", "robret mulle"][..])
            .prop_map(str::to_owned),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let groups = select(&[StatsGroupBy::Kind, StatsGroupBy::User, StatsGroupBy::Day][..]);
    let sorts =
        select(&[ContactSort::CreatedAt, ContactSort::UpdatedAt, ContactSort::LastName][..]);
    let statuses = select(&[UserStatus::Active, UserStatus::Disabled][..]);
    let writes = prop_oneof![
        3 => select(TIMES).prop_map(Action::Tick),
        1 => select(&["tenant-0", "new", "other"][..]).prop_map(|slug| Action::CreateTenant { slug }),
        2 => (select(EMAILS), select(Role::ALL))
            .prop_map(|(email, role)| Action::CreateUser { email, role }),
        2 => (nth(), patch(select(NAMES)), patch(select(Role::ALL)), patch(statuses))
            .prop_map(|(user, name, role, status)| Action::UpdateUser { user, name, role, status }),
        2 => (select(COMPANIES), of(select(DOMAINS)))
            .prop_map(|(name, domain)| Action::CreateCompany { name, domain }),
        2 => (nth(), patch(select(COMPANIES)), patch(select(DOMAINS)))
            .prop_map(|(company, name, domain)| Action::UpdateCompany { company, name, domain }),
        2 => (select(NAMES), of(select(TIMES)))
            .prop_map(|(name, lasts)| Action::CreateApiKey { name, lasts }),
        3 => (0..4_usize).prop_map(Action::UseApiKey),
        1 => (0..4_usize).prop_map(Action::RevokeApiKey),
        3 => (select(&["a", "b"][..]), select(&["1", "2"][..]), select(NAMES))
            .prop_map(|(key, request, name)| Action::CreateOnce { key, request, name }),
        8 => person().prop_map(Action::CreateContact),
        3 => vec(person(), 2..5).prop_map(Action::CreateContacts),
        8 => (nth(), person_patch(), version())
            .prop_map(|(contact, patch, version)| Action::UpdateContact { contact, patch, version }),
        4 => (nth(), version())
            .prop_map(|(contact, version)| Action::DeleteContact { contact, version }),
        4 => nth().prop_map(Action::RestoreContact),
        6 => vec(deed(), 1..4).prop_map(Action::Log),
    ];
    let reads = prop_oneof![
        1 => nth().prop_map(Action::GetUser),
        1 => prop_oneof![Just("Agent@tenant.example"), select(EMAILS)]
            .prop_map(|email| Action::FindAccounts { email }),
        1 => limit().prop_map(|limit| Action::ListApiKeys { limit }),
        1 => select(COMPANIES).prop_map(|name| Action::FindCompany { name }),
        2 => nth().prop_map(Action::GetContact),
        6 => (filter(), sorts, any::<bool>(), limit()).prop_map(
            |(filter, sort, descending, limit)| Action::ListContacts {
                filter, sort, descending, limit,
            }
        ),
        5 => (text(), any::<bool>(), limit())
            .prop_map(|(text, by_time, limit)| Action::Search { text, by_time, limit }),
        2 => (nth(), limit()).prop_map(|(contact, limit)| Action::Timeline { contact, limit }),
        2 => (activities_filter(), limit())
            .prop_map(|(filter, limit)| Action::Activities { filter, limit }),
        2 => (activities_filter(), groups)
            .prop_map(|(filter, group_by)| Action::Stats { filter, group_by }),
        1 => (of(nth()), limit()).prop_map(|(contact, limit)| Action::Audit { contact, limit }),
        1 => (0..20_usize, 1..20_usize).prop_map(|(skip, limit)| Action::Events { skip, limit }),
    ];
    prop_oneof![3 => writes, 2 => reads]
}

pub(super) fn commands() -> impl Strategy<Value = Command> {
    // Most commands meet in one tenant; the others are there to be left alone.
    let tenant = prop_oneof![4 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    let actor = prop_oneof![4 => Just(0_usize), 4 => Just(1), 1 => Just(2)];
    (tenant, actor, action()).prop_map(|(tenant, actor, action)| Command { tenant, actor, action })
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {} actor {}: {:?}", self.tenant, self.actor, self.action)
    }
}
