//! `serve --demo`: a small tenant to look around in.

use std::collections::BTreeMap;

use crm_core::identity::{Secret, User};
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount};
use crm_core::tenancy::{NewTenant, Slug, System, Tenant};
use crm_core::{Crm, ErrorKind, Page, Region, Session};

use crate::program::failure::Failure;
use crate::program::output::text_lines;
use crate::program::{seed, users};

const NAME: &str = "Demo";
const SLUG: &str = "demo";
const OWNER: &str = "owner@demo.example";
const OWNER_NAME: &str = "Ada Example";

/// The number that it calls from.
const LINE: &str = "+14255550100";

/// What the tenant holds.
const CONTACTS: u64 = 40;
const ACTIVITIES: u64 = 5;
const SEED: u64 = 7;

/// How to come in.
pub(crate) struct Entrance {
    email: String,
    password: Secret,
}

/// Makes the tenant, or completes it, and gives its owner a new password.
pub(crate) async fn prepare(crm: &Crm) -> Result<Entrance, Failure> {
    let system = crm.system("serve --demo")?;
    let (tenant, owner) = tenant(&system).await?;
    let session = system.session(tenant.id).await?;
    seed::fill(&session, CONTACTS, ACTIVITIES, SEED).await?;
    telephone(&session).await?;
    let password = users::made_up_password()?;
    system.set_password(tenant.id, owner.id, &password).await?;
    Ok(Entrance { email: owner.email.to_string(), password })
}

async fn tenant(system: &System) -> Result<(Tenant, User), Failure> {
    let slug: Slug = SLUG.parse()?;
    let tenant = match system.tenant(&slug).await {
        Ok(tenant) => tenant,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let new = NewTenant {
                name: NAME.to_owned(),
                slug: Some(slug),
                default_region: Region::US,
                owner_email: OWNER.to_owned(),
                owner_name: Some(OWNER_NAME.to_owned()),
            };
            return Ok(system.create_tenant(new).await?);
        }
        Err(error) => return Err(error.into()),
    };
    let session = system.session(tenant.id).await?;
    // Its owner was the first to be made.
    let first = session.users().list(&Page::first(1)).await?.items.into_iter().next();
    let owner = first.filter(|user| user.email.as_str() == OWNER).ok_or_else(|| {
        let message = format!("--demo: the tenant `{SLUG}` of this database is somebody's own");
        Failure::Usage(message)
    })?;
    Ok((tenant, owner))
}

/// A line of the simulated carrier's.
async fn telephone(session: &Session) -> Result<(), Failure> {
    let account = NewTelephonyAccount {
        provider: "simulator".to_owned(),
        name: SLUG.to_owned(),
        secrets: CarrierSecrets {
            auth_tokens: vec![users::made_up_password()?],
            ..CarrierSecrets::default()
        },
        numbers: vec![LINE.to_owned()],
        connect_to: None,
        greeting: Some("This is a demonstration".to_owned()),
        options: BTreeMap::default(),
    };
    match session.telephony().create(account).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        kept => Ok(kept.map(drop)?),
    }
}

impl Entrance {
    /// Prints how to sign in, and what to do then.
    pub(crate) fn tell(&self, base: &str) -> Result<(), Failure> {
        let Entrance { email, password } = self;
        let password = password.reveal();
        text_lines(&format!(
            "
A demo with {CONTACTS} made-up people. Sign in as {email} with {password}

  TOKEN=$(curl -s {base}/auth/login -H 'Content-Type: application/json' \\
    -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl -s '{base}/contacts?limit=3' -H \"Authorization: Bearer $TOKEN\"
  curl -s {base}/auth/me -H \"Authorization: Bearer $TOKEN\"

The rest is described on {base}/docs"
        ))
    }
}
