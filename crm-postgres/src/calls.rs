//! Calls.

use async_trait::async_trait;
use crm_core::calls::Call;
use crm_core::calls::store::CallQuery;
use crm_core::ports::CallStore;
use crm_core::{CallId, Result, TelephonyAccountId, TenantScope, Timestamp};
use uuid::Uuid;

use crate::PostgresStore;
use crate::more::direction;
use crate::rows::{bigint, docs, is_text, optional_doc};
use crate::statement::Statement;

#[async_trait]
impl CallStore for PostgresStore {
    async fn call(&self, scope: &TenantScope, id: CallId) -> Result<Option<Call>> {
        optional_doc(&self.call(scope, "call_get", vec![id.as_uuid().into()]).await?)
    }

    async fn call_of_provider(
        &self,
        scope: &TenantScope,
        account: TelephonyAccountId,
        provider_call_id: &str,
    ) -> Result<Option<Call>> {
        if !is_text(provider_call_id) {
            return Ok(None);
        }
        let values = vec![account.as_uuid().into(), provider_call_id.into()];
        optional_doc(&self.call(scope, "call_of_provider", values).await?)
    }

    async fn calls(&self, scope: &TenantScope, query: &CallQuery) -> Result<Vec<Call>> {
        let filter = &query.filter;
        if filter.disposition.as_deref().is_some_and(|word| !is_text(word)) {
            return Ok(Vec::new());
        }
        let schema = &self.inner.schema;
        let mut statement =
            Statement::new(format!("select doc from {schema}.calls where tenant_id = "));
        statement.value(scope.tenant().as_uuid().into());
        for (condition, value) in [
            (" and contact_id = ", filter.contact_id.map(|id| id.as_uuid().into())),
            (" and user_id = ", filter.user_id.map(|id| id.as_uuid().into())),
            (" and direction = ", filter.direction.map(|way| direction(way).into())),
            (" and status = ", filter.status.map(|status| status.as_str().into())),
            (" and disposition = ", filter.disposition.as_deref().map(Into::into)),
            (" and started_at >= ", filter.from.map(Into::into)),
            (" and started_at < ", filter.to.map(Into::into)),
        ] {
            if let Some(value) = value {
                statement.push(condition);
                statement.value(value);
            }
        }
        // The end of time, and an id that comes after all others.
        let (before, before_id) = match query.after {
            Some((at, id)) => (at, id.as_uuid()),
            None => (Timestamp::MAX, Uuid::max()),
        };
        statement.push(" and (started_at, id) < (");
        statement.value(before.into());
        statement.push(", ");
        statement.value(before_id.into());
        statement.push(") order by started_at desc, id desc limit ");
        statement.value(bigint(query.limit).into());
        docs(&self.ask_in_transaction(scope, Statement::list_of(statement)).await?)
    }
}
