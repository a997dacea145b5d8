//! An account, and what it must be like.

use crm_core::telephony::CarrierAccount;
use crm_core::{Error, FieldError, Result};
use url::Url;

/// An account that is complete, with the place where its requests go.
pub(crate) struct Account<'a> {
    pub(crate) name: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) api: Url,
}

impl<'a> Account<'a> {
    /// # Errors
    ///
    /// `invalid` as [`refusals`] has it.
    pub(crate) fn read(account: &'a CarrierAccount, base: Option<&Url>) -> Result<Self> {
        let refused = refusals(account);
        let token = account.secrets.auth_tokens.first();
        let (true, Some(token)) = (refused.is_empty(), token) else {
            return Err(Error::invalid(refused));
        };
        let (user, secret) = match &account.secrets.api_key {
            Some(key) => (key.id.as_str(), &key.secret),
            None => (account.name.as_str(), token),
        };
        let api = match base {
            Some(base) => base.clone(),
            None => Url::parse(&host(account)).map_err(Error::internal)?,
        };
        Ok(Account { name: &account.name, user, password: secret.reveal(), api })
    }

    /// The address of something of the account, e.g. `Calls.json`, with a query.
    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.api.clone();
        url.set_path(&format!("/2010-04-01/Accounts/{}/{path}", self.name));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// `https://api.twilio.com`, or that of a region (twilio.com/docs/global-infrastructure/edge-locations):
/// a region is reached through an edge only, and an edge without a region is one of `us1`.
fn host(account: &CarrierAccount) -> String {
    let option = |name: &str| account.options.get(name).map(String::as_str);
    match option("edge") {
        Some(edge) => {
            format!("https://api.{edge}.{}.twilio.com", option("region").unwrap_or("us1"))
        }
        None => "https://api.twilio.com".to_owned(),
    }
}

/// What is wrong with the account, by its fields.
pub(crate) fn refusals(account: &CarrierAccount) -> Vec<FieldError> {
    let mut refused = Vec::new();
    let mut refuse = |field: String, code: &'static str, message: &str| {
        refused.push(FieldError::new(field, code, message));
    };
    if !is_sid(&account.name, "AC") {
        let message = "the name of an account is `AC` and 32 hexadecimal digits";
        refuse("name".to_owned(), "invalid_account", message);
    }
    let tokens = &account.secrets.auth_tokens;
    if !(1..=2).contains(&tokens.len()) {
        let message = "give one auth token, or two while one takes the place of the other; webhooks are \
                       signed with it, so an API key alone does not do";
        refuse("secrets.auth_tokens".to_owned(), "invalid_tokens", message);
    }
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| !is_secret(token.reveal())) {
        let message = "a token has 1 to 255 printable ASCII characters";
        refuse(format!("secrets.auth_tokens[{at}]"), "invalid_secret", message);
    }
    if let Some(key) = &account.secrets.api_key {
        if !is_sid(&key.id, "SK") {
            let message = "the id of an API key is `SK` and 32 hexadecimal digits";
            refuse("secrets.api_key.id".to_owned(), "invalid_api_key", message);
        }
        if !is_secret(key.secret.reveal()) {
            let message = "the secret of an API key has 1 to 255 printable ASCII characters";
            refuse("secrets.api_key.secret".to_owned(), "invalid_secret", message);
        }
    }
    for (name, value) in &account.options {
        let field = format!("options.{name}");
        if !["edge", "region"].contains(&name.as_str()) {
            refuse(field, "unknown_option", "the options are `edge` and `region`");
        } else if !is_label(value) {
            let message = "an edge or region has 1 to 63 of `a-z0-9-`, e.g. `dublin` and `ie1`";
            refuse(field, "invalid_option", message);
        }
    }
    if account.options.contains_key("region") && !account.options.contains_key("edge") {
        let message = "a region is reached through an edge; give one, e.g. `dublin` for `ie1`";
        refuse("options.edge".to_owned(), "required", message);
    }
    refused
}

/// Whether this is one of Twilio's names: two letters and 32 hexadecimal digits.
pub(crate) fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_secret(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A label of a host's name (RFC 1123, 2.1).
fn is_label(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edges = text.starts_with('-') || text.ends_with('-');
    (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !edges
}

#[cfg(test)]
mod tests {
    use crm_core::telephony::{CarrierApiKey, CarrierSecrets};

    use super::*;

    fn account() -> CarrierAccount {
        let auth_tokens = vec!["token".into()];
        CarrierAccount::new(
            format!("AC{}", "0a".repeat(16)),
            CarrierSecrets { auth_tokens, api_key: None },
        )
    }

    fn fields(account: &CarrierAccount) -> Vec<String> {
        refusals(account).into_iter().map(|refused| refused.field).collect()
    }

    #[test]
    fn each_wrong_value_is_named() {
        assert!(fields(&account()).is_empty());
        let mut wrong = account().option("region", "ie1").option("colour", "red");
        wrong.name = "AC1/../x".to_owned();
        wrong.secrets.auth_tokens = vec!["".into(), "tab\there".into(), "ok".into()];
        wrong.secrets.api_key =
            Some(CarrierApiKey { id: "SK1".into(), secret: "x".repeat(256).into() });
        assert_eq!(
            fields(&wrong),
            [
                "name",
                "secrets.auth_tokens",
                "secrets.auth_tokens[0]",
                "secrets.auth_tokens[1]",
                "secrets.api_key.id",
                "secrets.api_key.secret",
                "options.colour",
                "options.edge",
            ]
        );
        let hostile = account().option("edge", "evil.example/#").option("region", "-ie1");
        assert_eq!(fields(&hostile), ["options.edge", "options.region"]);
        let mut none = account();
        none.secrets.auth_tokens.clear();
        assert_eq!(fields(&none), ["secrets.auth_tokens"]);
        assert!(Account::read(&none, None).is_err());
    }

    #[test]
    fn a_region_has_a_host_of_its_own() {
        let host = |account: &CarrierAccount| {
            Account::read(account, None).unwrap().api.host_str().unwrap().to_owned()
        };
        assert_eq!(host(&account()), "api.twilio.com");
        assert_eq!(host(&account().option("edge", "ashburn")), "api.ashburn.us1.twilio.com");
        let sydney = account().option("edge", "sydney").option("region", "au1");
        assert_eq!(host(&sydney), "api.sydney.au1.twilio.com");
    }

    #[test]
    fn an_api_key_goes_before_the_token() {
        let mut account = account();
        let read = |account: &CarrierAccount| {
            let account = Account::read(account, None).unwrap();
            (account.user.to_owned(), account.password.to_owned())
        };
        assert_eq!(read(&account), (account.name.clone(), "token".to_owned()));
        let id = format!("SK{}", "1".repeat(32));
        account.secrets.api_key = Some(CarrierApiKey { id: id.clone(), secret: "key".into() });
        assert_eq!(read(&account), (id, "key".to_owned()));
    }
}
