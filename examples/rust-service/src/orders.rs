//! Orders: a row of the shop's own and a contact of the CRM, in one transaction.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use crm_core::contacts::NewContact;
use crm_core::{ContactId, Error};
use crm_http::Problem;
use serde::{Deserialize, Serialize};

use crate::Shop;

/// An order as a customer places it.
#[derive(Deserialize)]
pub(crate) struct NewOrder {
    first_name: String,
    last_name: String,
    email: String,
    item: String,
}

#[derive(Serialize)]
pub(crate) struct Order {
    id: i64,
    contact_id: ContactId,
    item: String,
}

/// What went wrong: with the CRM or with the shop's own tables.
pub(crate) enum Refused {
    Crm(Error),
    Shop(sqlx::Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Crm(error)
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Refused::Shop(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Crm(error) => Problem::from(error).into_response(),
            Refused::Shop(sqlx::Error::Database(error)) if error.is_check_violation() => {
                (StatusCode::UNPROCESSABLE_ENTITY, "an order names an item").into_response()
            }
            Refused::Shop(error) => {
                tracing::error!(%error, "the shop's tables cannot be reached");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Writes the customer and the order, both or neither.
pub(crate) async fn place(
    State(shop): State<Shop>,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Refused> {
    let customer = NewContact::named(new.first_name, new.last_name).email(new.email);
    let (customer, changes) = shop.session.contacts().plan_create(customer).await?;
    let mut transaction = shop.pool.begin().await?;
    let id = sqlx::query_scalar(
        "insert into shop.orders (contact_id, item) values ($1, $2) returning id",
    )
    .bind(customer.id.as_uuid())
    .bind(&new.item)
    .fetch_one(&mut *transaction)
    .await?;
    shop.store.commit_in(&mut transaction, changes).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(Order { id, contact_id: customer.id, item: new.item })))
}

pub(crate) async fn list(State(shop): State<Shop>) -> Result<Json<Vec<Order>>, Refused> {
    let orders = sqlx::query_as("select id, contact_id, item from shop.orders order by id");
    let rows: Vec<(i64, sqlx::types::Uuid, String)> = orders.fetch_all(&shop.pool).await?;
    let orders = rows.into_iter().map(|(id, contact, item)| {
        let contact_id = ContactId::from_uuid(contact);
        Order { id, contact_id, item }
    });
    Ok(Json(orders.collect()))
}
