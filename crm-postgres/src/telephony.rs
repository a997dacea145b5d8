//! Accounts with carriers.

use async_trait::async_trait;
use crm_core::ports::TelephonyStore;
use crm_core::telephony::TelephonyAccount;
use crm_core::{Error, Result, SystemScope, TenantId, TenantScope};

use crate::PostgresStore;
use crate::rows::{bigint, docs, get, is_text, json_text};

#[async_trait]
impl TelephonyStore for PostgresStore {
    async fn telephony_accounts(&self, scope: &TenantScope) -> Result<Vec<TelephonyAccount>> {
        docs(&self.call(scope, "telephony_account_list", Vec::new()).await?)
    }

    async fn accounts_of_carrier(
        &self,
        scope: &SystemScope,
        provider: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, TelephonyAccount)>> {
        if !is_text(provider) || !is_text(name) {
            return Ok(Vec::new());
        }
        let values = vec![provider.into(), name.into(), bigint(limit).into()];
        let rows = self.call_for(scope, "accounts_of_carrier", values).await?;
        rows.iter()
            .map(|row| {
                let account = serde_json::from_str(json_text(row, "doc")?);
                let tenant = TenantId::from_uuid(get(row, "tenant_id")?);
                Ok((tenant, account.map_err(Error::internal)?))
            })
            .collect()
    }
}
