//! `tenant create`, and finding the tenant that a command is for.

use crm_core::tenancy::{NewTenant, Slug, System, Tenant};
use crm_core::{Crm, ErrorKind, Session};
use serde_json::json;

use crate::program::cli::{TenantCreateArgs, TenantInviteArgs};
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::{self, Format};
use crate::program::{keys, users};

/// Tenants whose slugs are compared with a mistyped one.
const MOST_COMPARED: usize = 1_000;
/// Tenants that a message names.
const MOST_NAMED: usize = 5;

/// Makes a tenant and its owner.
pub(crate) async fn create(database: &Database, args: TenantCreateArgs) -> Result<(), Failure> {
    let (password, given) = if args.password_stdin {
        (users::password_from_stdin()?, true)
    } else {
        (users::made_up_password()?, false)
    };
    let crm = database.open_or_create().await?;
    let new = NewTenant {
        name: args.name,
        slug: args.slug,
        default_region: args.region,
        owner_email: args.owner,
        owner_name: None,
    };
    let system = crm.system("tenant create on the command line")?;
    let created = system.create_tenant(new).await;
    let (tenant, owner) = created.map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            Failure::Failed(format!("{}; choose another by --slug", error.message()))
        } else {
            Failure::of_option(error, option_of)
        }
    })?;
    // A password that is refused must not leave the owner without one, and without being told.
    if let Err(error) = system.set_password(tenant.id, owner.id, &password).await {
        return Err(Failure::Failed(format!(
            "the tenant `{}` is made, but its owner has no password yet: {error}; `crm-http user reset \
             --tenant {} {}` makes an invitation",
            tenant.slug, tenant.slug, owner.email
        )));
    }
    let owner = system.session(tenant.id).await?.users().get(owner.id).await?;
    let told = (!given).then(|| password.reveal());
    match args.output.format() {
        Format::Json => output::json(&json!({ "tenant": tenant, "user": owner, "password": told })),
        Format::Table => {
            output::table(
                ["tenant", "name", "tenant id", "owner", "owner id"],
                [[
                    tenant.slug.to_string(),
                    tenant.name,
                    tenant.id.to_string(),
                    owner.email.to_string(),
                    owner.id.to_string(),
                ]],
            )?;
            match told {
                Some(password) => {
                    output::text_lines(&format!("\nthe owner's password: {password}"))
                }
                None => Ok(()),
            }
        }
    }
}

/// Makes an invitation to register.
pub(crate) async fn invite(database: &Database, args: TenantInviteArgs) -> Result<(), Failure> {
    let keys = keys::read_or_make(database, &args.token)?;
    let crm = database.builder().await?.key_ring(keys.ring).build()?;
    let system = crm.system("tenant invite on the command line")?;
    let invitation = system.registration_invitation(args.valid_for)?;
    match args.output.format() {
        Format::Json => output::json(&json!({ "invitation": invitation.reveal() })),
        Format::Table => output::text_lines(invitation.reveal()),
    }
}

fn option_of(field: &str) -> &'static str {
    match field {
        "name" => "--name",
        "slug" => "--slug",
        "owner_email" => "--owner",
        _ => "tenant create",
    }
}

/// The operator's session in the tenant.
pub(crate) async fn session(
    crm: &Crm,
    slug: &Slug,
    reason: &'static str,
) -> Result<Session, Failure> {
    let system = crm.system(reason)?;
    match system.tenant(slug).await {
        Ok(tenant) => Ok(system.session(tenant.id).await?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::Usage(unknown(&system, slug).await?))
        }
        Err(error) => Err(error.into()),
    }
}

/// What to say of a tenant that does not exist: which one was probably meant, and which exist.
async fn unknown(system: &System, slug: &Slug) -> Result<String, Failure> {
    let tenants = system.tenants(None, MOST_COMPARED).await?;
    let mut message = format!("--tenant: there is no tenant `{slug}`");
    if tenants.is_empty() {
        message.push_str(
            " and no other; make one with `crm-http tenant create --name NAME --owner EMAIL`",
        );
        return Ok(message);
    }
    match nearest(slug, &tenants) {
        Some(near) => message.push_str(&format!("; did you mean `{near}`? the tenants are ")),
        None => message.push_str("; the tenants are "),
    }
    let named: Vec<String> =
        tenants.iter().take(MOST_NAMED).map(|tenant| format!("`{}`", tenant.slug)).collect();
    message.push_str(&named.join(", "));
    if tenants.len() > MOST_NAMED {
        message.push_str(" and more");
    }
    Ok(message)
}

fn nearest<'t>(slug: &Slug, tenants: &'t [Tenant]) -> Option<&'t Slug> {
    tenants
        .iter()
        .map(|tenant| (strsim::jaro_winkler(slug.as_str(), tenant.slug.as_str()), &tenant.slug))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, slug)| slug)
}
