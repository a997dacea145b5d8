//! What a session can do with companies.

use super::model::{Company, CompanyKey, CompanyPatch, NewCompany, parse_domain};
use crate::access::{Action, Permit, ReadCompanies, WriteCompanies};
use crate::changes::{Changes, Write};
use crate::env::Env;
use crate::error::{Error, FieldError, Result};
use crate::events::payload::{Changed, CompanyCreated, CompanyUpdated};
use crate::id::CompanyId;
use crate::page::{Page, PageOf, Position, SortKey};
use crate::patch::Patch;
use crate::session::Session;
use crate::text::checked_name;

/// The companies of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Companies<'s> {
    pub(crate) session: &'s Session,
}

impl Companies<'_> {
    /// Makes a company. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid`; `already_exists` when the name or the domain is taken;
    /// `unavailable` or `internal` from the store.
    pub async fn create(&self, new: NewCompany) -> Result<Company> {
        self.session
            .run("companies.create", async {
                let permit = self.session.authorize::<WriteCompanies>()?;
                let mut changes = self.session.new_changes();
                let company = create(&mut changes, &permit, self.session.env(), new)?;
                self.session.commit_made(changes, &company).await?;
                Ok(company)
            })
            .await
    }

    /// The company with this id.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn get(&self, id: CompanyId) -> Result<Company> {
        self.session
            .run("companies.get", async {
                let (_, company) = self.load::<ReadCompanies>(id).await?;
                Ok(company)
            })
            .await
    }

    /// The companies in the order in which they were made.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(&self, page: &Page) -> Result<PageOf<Company>> {
        self.session
            .run("companies.list", async {
                let permit = self.session.authorize::<ReadCompanies>()?;
                let after = page.position("companies")?.map(|position| position.id);
                let limit = page.limit();
                let store = self.session.store();
                let companies = store.companies(permit.scope(), after, limit + 1).await?;
                Ok(PageOf::cut(companies, limit, "companies", |last| Position {
                    key: SortKey::Time(last.created_at),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// The company with this name or this domain, whatever the case, accents and punctuation.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn find(&self, key: &CompanyKey) -> Result<Option<Company>> {
        self.session
            .run("companies.find", async {
                let permit = self.session.authorize::<ReadCompanies>()?;
                let store = self.session.store();
                let found = store.companies_by_keys(permit.scope(), std::slice::from_ref(key));
                Ok(found.await?.into_iter().next())
            })
            .await
    }

    /// Changes a company. The text in its contacts stays what it was.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `invalid`; `already_exists` when the name or the domain is taken;
    /// `version_conflict` when `version` is given and is not the record's; `unavailable` or
    /// `internal` from the store.
    pub async fn update(
        &self,
        id: CompanyId,
        patch: CompanyPatch,
        version: Option<i64>,
    ) -> Result<Company> {
        let attempt = || async {
            let (permit, before) = self.load::<WriteCompanies>(id).await?;
            if let Some(expected) = version.filter(|version| *version != before.version) {
                return Err(Error::version_conflict("company", expected, before.version));
            }
            let mut changes = self.session.new_changes();
            let env = self.session.env();
            match update(&mut changes, &permit, env, &before, patch.clone())? {
                Some(after) => {
                    self.session.commit(changes).await?;
                    Ok(after)
                }
                None => Ok(before),
            }
        };
        self.session
            .run("companies.update", self.session.retry_contended(version.is_some(), attempt))
            .await
    }

    async fn load<A: Action>(&self, id: CompanyId) -> Result<(Permit<A>, Company)> {
        let look = self.session.store().company(self.session.scope(), id);
        self.session.authorize_on("company", look).await
    }
}

/// A new company.
pub(crate) fn create(
    changes: &mut Changes,
    _: &Permit<WriteCompanies>,
    env: &Env,
    new: NewCompany,
) -> Result<Company> {
    let mut refused = Vec::new();
    let name = checked_name("name", "a company", &new.name).map_err(|error| refused.push(error));
    let domain = match new.domain {
        Some(domain) => parse_domain(&domain).map(Some).map_err(|error| refused.push(error)),
        None => Ok(None),
    };
    let (Ok(name), Ok(domain)) = (name, domain) else {
        return Err(Error::invalid(refused));
    };
    let company = Company {
        id: env.new_id()?,
        name,
        domain,
        created_at: changes.at(),
        updated_at: changes.at(),
        version: 1,
    };
    let data = CompanyCreated { company: &company };
    let write = Write::InsertCompany(company.clone());
    changes.record(env, write, company.id, Vec::new(), &data)?;
    Ok(company)
}

fn update(
    changes: &mut Changes,
    _: &Permit<WriteCompanies>,
    env: &Env,
    before: &Company,
    patch: CompanyPatch,
) -> Result<Option<Company>> {
    let mut after = before.clone();
    let mut refused = Vec::new();
    match patch.name {
        Patch::Keep => {}
        Patch::Clear => {
            refused.push(FieldError::new("name", "required", "`name` cannot be cleared"));
        }
        Patch::Set(name) => match checked_name("name", "a company", &name) {
            Ok(name) => after.name = name,
            Err(error) => refused.push(error),
        },
    }
    match patch.domain {
        Patch::Keep => {}
        Patch::Clear => after.domain = None,
        Patch::Set(domain) => match parse_domain(&domain) {
            Ok(domain) => after.domain = Some(domain),
            Err(error) => refused.push(error),
        },
    }
    if !refused.is_empty() {
        return Err(Error::invalid(refused));
    }
    let mut fields = Vec::new();
    let mut new_values = Changed::none();
    if before.name != after.name {
        fields.push("name".to_owned());
        new_values.set("name", &after.name)?;
    }
    if before.domain != after.domain {
        fields.push("domain".to_owned());
        new_values.set("domain", &after.domain)?;
    }
    if fields.is_empty() {
        return Ok(None);
    }
    after.updated_at = changes.at();
    after.version += 1;
    let (mut removed, mut added) = (before.keys(), after.keys());
    removed.retain(|key| !after.keys().contains(key));
    added.retain(|key| !before.keys().contains(key));
    let (version, updated_at) = (after.version, after.updated_at);
    let data = CompanyUpdated { version, updated_at, changes: new_values };
    let write = Write::UpdateCompany {
        company: after.clone(),
        expected_version: before.version,
        removed,
        added,
    };
    changes.record(env, write, after.id, fields, &data)?;
    Ok(Some(after))
}
