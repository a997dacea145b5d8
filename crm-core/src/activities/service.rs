//! What a session can do with activities.

use serde_json::Value;

use super::model::{
    Activity, ActivityData, ActivityKind, MAX_BODY, MAX_DATA, MAX_SUBJECT, NewActivity, Stats,
    StatsGroupBy,
};
use super::store::{ActivityFilter, ActivityQuery};
use crate::access::{LogActivities, Permit, ReadActivities};
use crate::changes::{Changes, Write};
use crate::email::shorten;
use crate::env::Env;
use crate::error::{Error, FieldError, Result};
use crate::events::payload::ActivityLogged;
use crate::id::{ActivityId, ContactId};
use crate::page::{Page, PageOf, Position, SortKey};
use crate::session::Session;

/// What happened with the contacts of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Activities<'s> {
    pub(crate) session: &'s Session,
}

impl Activities<'_> {
    /// Logs what somebody did. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such contact; `invalid` for a kind that only the
    /// CRM writes, data of another shape or a text that is too long; `unavailable` or `internal`
    /// from the store.
    pub async fn create(&self, new: NewActivity) -> Result<Activity> {
        self.session
            .run("activities.create", async {
                let permit = self.session.authorize::<LogActivities>()?;
                let contact = self.session.store().contact(permit.scope(), new.contact_id).await?;
                if !contact.is_some_and(|contact| contact.is_live()) {
                    return Err(Error::not_found("contact"));
                }
                let mut changes = self.session.new_changes();
                let activity = log(&mut changes, &permit, self.session.env(), new)?;
                self.session.commit_made(changes, &activity).await?;
                Ok(activity)
            })
            .await
    }

    /// Logs many activities as one unit: all of them, or none.
    ///
    /// # Errors
    ///
    /// Those of [`Activities::create`]; the first refused activity refuses them all.
    pub async fn create_all(&self, new: Vec<NewActivity>) -> Result<Vec<Activity>> {
        self.session
            .run("activities.create_all", async {
                let permit = self.session.authorize::<LogActivities>()?;
                let mut ids: Vec<ContactId> =
                    new.iter().map(|activity| activity.contact_id).collect();
                ids.sort();
                ids.dedup();
                let contacts = self.session.store().contacts_by_ids(permit.scope(), &ids).await?;
                if contacts.iter().filter(|contact| contact.is_live()).count() != ids.len() {
                    return Err(Error::not_found("contact"));
                }
                let mut changes = self.session.new_changes();
                let logged = new
                    .into_iter()
                    .map(|new| log(&mut changes, &permit, self.session.env(), new))
                    .collect::<Result<_>>()?;
                self.session.commit(changes).await?;
                Ok(logged)
            })
            .await
    }

    /// The activity with this id.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn get(&self, id: ActivityId) -> Result<Activity> {
        self.session
            .run("activities.get", async {
                let permit = self.session.authorize::<ReadActivities>()?;
                let activity = self.session.store().activity(permit.scope(), id).await?;
                activity.ok_or_else(|| Error::not_found("activity"))
            })
            .await
    }

    /// The activities that `filter` means, newest first.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` when the time ends before it begins; `invalid_cursor`;
    /// `unavailable` or `internal` from the store.
    pub async fn list(&self, filter: &ActivityFilter, page: &Page) -> Result<PageOf<Activity>> {
        self.session.run("activities.list", self.page(filter, page)).await
    }

    /// A contact's timeline, newest first.
    ///
    /// # Errors
    ///
    /// `not_found` when there is no such contact; otherwise those of [`Activities::list`].
    pub async fn timeline(&self, contact: ContactId, page: &Page) -> Result<PageOf<Activity>> {
        self.session
            .run("activities.timeline", async {
                let filter =
                    ActivityFilter { contact_id: Some(contact), ..ActivityFilter::default() };
                let timeline = self.page(&filter, page).await?;
                // Every contact has at least the entry of its making.
                if timeline.items.is_empty() {
                    let scope = self.session.scope();
                    let known = self.session.store().contact(scope, contact).await?;
                    known.ok_or_else(|| Error::not_found("contact"))?;
                }
                Ok(timeline)
            })
            .await
    }

    async fn page(&self, filter: &ActivityFilter, page: &Page) -> Result<PageOf<Activity>> {
        let permit = self.session.authorize::<ReadActivities>()?;
        check_range(filter)?;
        let list = format!("activities?{filter:?}");
        let after = page.position(&list)?.and_then(|position| match position.key {
            SortKey::Time(at) => Some((at, ActivityId::from_uuid(position.id))),
            SortKey::Text(_) | SortKey::Score(_) => None,
        });
        let query = ActivityQuery { filter: filter.clone(), after, limit: page.limit() + 1 };
        let activities = self.session.store().activities(permit.scope(), &query).await?;
        Ok(PageOf::cut(activities, page.limit(), &list, |last| Position {
            key: SortKey::Time(last.occurred_at),
            id: last.id.as_uuid(),
        }))
    }

    /// How many activities `filter` means, by kind, user or day.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` when the time ends before it begins; `unavailable` or `internal`
    /// from the store.
    pub async fn stats(&self, filter: &ActivityFilter, group_by: StatsGroupBy) -> Result<Stats> {
        self.session
            .run("activities.stats", async {
                let permit = self.session.authorize::<ReadActivities>()?;
                check_range(filter)?;
                let store = self.session.store();
                let groups = store.activity_stats(permit.scope(), filter, group_by).await?;
                let total = groups.iter().map(|group| group.count).sum();
                Ok(Stats { groups, total })
            })
            .await
    }
}

fn check_range(filter: &ActivityFilter) -> Result<()> {
    match (filter.from, filter.to) {
        (Some(from), Some(to)) if from > to => Err(Error::invalid_field(
            "to",
            "invalid_range",
            format!("`to` ({to}) is before `from` ({from})"),
        )),
        _ => Ok(()),
    }
}

/// A new activity.
pub(crate) fn log(
    changes: &mut Changes,
    _: &Permit<LogActivities>,
    env: &Env,
    new: NewActivity,
) -> Result<Activity> {
    let mut refused = Vec::new();
    if !new.kind.is_by_people() {
        let by_people: Vec<_> = ActivityKind::ALL
            .iter()
            .filter(|kind| kind.is_by_people())
            .map(|kind| kind.as_str())
            .collect();
        refused.push(FieldError::new(
            "kind",
            "read_only_kind",
            format!("only the CRM writes `{}`; choose one of {}", new.kind, by_people.join(", ")),
        ));
    }
    let subject = new.subject.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if subject.as_ref().is_some_and(|text| text.chars().nth(MAX_SUBJECT).is_some()) {
        refused.push(FieldError::new(
            "subject",
            "too_long",
            format!("the subject is too long; at most {MAX_SUBJECT} characters are kept"),
        ));
    }
    let body = new.body.filter(|text| !text.trim().is_empty());
    if body.as_ref().is_some_and(|text| text.len() > MAX_BODY) {
        refused.push(FieldError::new(
            "body",
            "too_long",
            format!("the body is too long; at most {MAX_BODY} bytes are kept"),
        ));
    }
    let json = match new.data {
        Value::Null => "{}".to_owned(),
        data @ (Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => data.to_string(),
    };
    if json.len() > MAX_DATA {
        let message = format!("the data is too long; at most {MAX_DATA} bytes are kept");
        return Err(Error::invalid_field("data", "too_long", message));
    }
    let data = ActivityData::from_json(new.kind, &json).map_err(|error| {
        let message = format!("not the data of `{}`: {}", new.kind, shorten(&error.to_string()));
        refused.push(FieldError::new("data", "invalid_data", message));
    });
    if let Ok(ActivityData::Call { call_id, status, .. }) = &data
        && (call_id.is_some() || status.is_some())
    {
        let message = "`call_id` and `status` are those of a call's own record; log it as a call";
        refused.push(FieldError::new("data", "read_only", message));
    }
    let (Ok(data), true) = (data, refused.is_empty()) else {
        return Err(Error::invalid(refused));
    };
    let activity = Activity {
        id: env.new_id()?,
        contact_id: new.contact_id,
        occurred_at: new.occurred_at.unwrap_or(changes.at()),
        user_id: changes.scope().actor().user(),
        subject,
        body,
        data,
        created_at: changes.at(),
    };
    let write = Write::InsertActivity(activity.clone());
    let data = ActivityLogged { activity: &activity };
    changes.record(env, write, activity.id, Vec::new(), &data)?;
    Ok(activity)
}
