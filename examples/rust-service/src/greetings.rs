//! Each new contact is greeted once: by a row of the shop's own, as the event log tells of it.

use crm_core::events::{After, EventName};

use crate::{Failure, Shop};

/// Greets who is new, from where the group of readers stopped the last time; until it is dropped.
///
/// # Errors
///
/// Those of the store and of the shop's own table: what was not greeted comes again at the next start.
pub async fn greet(shop: Shop) -> Result<(), Failure> {
    let mut readers = shop.session.events().group("shop.greetings".parse()?, After::Start).await?;
    loop {
        let batch = readers.next().await?;
        let new = batch.events().iter().filter(|it| it.event.name == EventName::ContactCreated);
        for recorded in new {
            // An event can come twice; a contact is greeted once.
            sqlx::query("insert into shop.greetings values ($1) on conflict do nothing")
                .bind(recorded.event.subject.id)
                .execute(&shop.pool)
                .await?;
        }
        batch.done().await?;
    }
}
