//! How a program in another language serves the CRM's routes.

use std::time::Duration;

use crm_core::ports::Quota;
use crm_core::{Error, Result};
use crm_http::{Config, Mount, Origins};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Opened;

/// The options of the routes: those of `crm-http serve` that do not concern a listener.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use crm_embed::{Mounting, Opening};
/// let options = serde_json::json!({ "database": "sqlite::memory:" });
/// let opened = Opening::read(options)?.open(|builder| builder).await?;
/// let options = serde_json::json!({ "cors_origins": ["https://app.example"], "per_caller": "20/1s" });
/// let mount = Mounting::read(options)?.mount(&opened)?;
/// # mount.close();
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mounting {
    /// Web pages whose scripts may call, by their origins, e.g. `https://app.example`, or `*` for all;
    /// none where nothing is said.
    pub cors_origins: Vec<String>,
    /// Bytes of the largest JSON body, at least 1; 1 MiB where nothing is said.
    pub body_limit: Option<usize>,
    /// Bytes of the largest file to import, at least 1; 1 GiB where nothing is said.
    pub import_limit: Option<usize>,
    /// For how many seconds a request may take to be answered, above 0 and at most a day; 30 where nothing is
    /// said.
    pub time_limit_seconds: Option<f64>,
    /// Requests of each user and API key, as a number in seconds, minutes or hours (`600/10s`, `100/1m`), or
    /// null for any number; `600/10s` where nothing is said.
    #[serde(deserialize_with = "said")]
    #[schemars(with = "Option<String>")]
    pub per_caller: Option<Option<String>>,
    /// Requests from each address that nobody answers for, written in the same way; `120/10s` where nothing
    /// is said.
    #[serde(deserialize_with = "said")]
    #[schemars(with = "Option<String>")]
    pub per_address: Option<Option<String>>,
    /// Proxies whose word on the caller's address counts, e.g. `10.0.0.0/8`; none where nothing is said.
    pub trusted_proxies: Vec<String>,
    /// The header in which these proxies tell it: `x-forwarded-for`, as where nothing is said, or
    /// `forwarded`.
    pub proxy_header: Option<String>,
    /// How often, in seconds, a client that follows events is to be heard of, above 0 and at most a day; 25
    /// where nothing is said.
    pub heartbeat_seconds: Option<f64>,
    /// The most clients that follow events at once; 20,000 where nothing is said.
    pub realtime_connections: Option<usize>,
}

/// Null is something that was said.
fn said<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Mounting {
    /// Reads the options as another language gives them.
    ///
    /// # Errors
    ///
    /// `invalid`, naming the option.
    pub fn read(options: serde_json::Value) -> Result<Self> {
        serde_path_to_error::deserialize(options).map_err(|error| {
            let path = error.path().to_string();
            Error::refused_value(&path, &error.into_inner().to_string())
        })
    }

    /// The routes of this CRM.
    ///
    /// # Errors
    ///
    /// `invalid`, naming the option.
    pub fn mount(&self, opened: &Opened) -> Result<Mount> {
        let mut config = self.config()?;
        config.public_url.clone_from(&opened.public_url);
        config.dependencies.clone_from(&opened.dependencies);
        Ok(Mount::new(opened.crm.clone(), config))
    }

    fn config(&self) -> Result<Config> {
        let mut config = Config::default();
        let origins = self.cors_origins.iter().map(|text| text.parse());
        config.cors_origins = if self.cors_origins.iter().any(|text| text == "*") {
            Origins::Any
        } else {
            let read: std::result::Result<Origins, _> = origins.collect();
            read.map_err(wrong("cors_origins"))?
        };
        let proxies = self.trusted_proxies.iter().map(|text| text.parse());
        config.trusted_proxies =
            proxies.collect::<std::result::Result<_, _>>().map_err(wrong("trusted_proxies"))?;
        if let Some(name) = &self.proxy_header {
            config.proxy_header = name.parse().map_err(wrong("proxy_header"))?;
        }
        if let Some(bytes) = self.body_limit {
            config.body_limit = at_least_one("body_limit", bytes)?;
        }
        if let Some(bytes) = self.import_limit {
            config.import_limit = at_least_one("import_limit", bytes)?;
        }
        if let Some(seconds) = self.time_limit_seconds {
            config.time_limit = time("time_limit_seconds", seconds)?;
        }
        if let Some(seconds) = self.heartbeat_seconds {
            config.heartbeat = time("heartbeat_seconds", seconds)?;
        }
        if let Some(rate) = &self.per_caller {
            config.per_caller = quota("per_caller", rate.as_deref())?;
        }
        if let Some(rate) = &self.per_address {
            config.per_address = quota("per_address", rate.as_deref())?;
        }
        if let Some(most) = self.realtime_connections {
            config.realtime_connections = most;
        }
        Ok(config)
    }
}

fn wrong(option: &'static str) -> impl Fn(String) -> Error {
    move |message| Error::invalid_field(option, "invalid_value", message)
}

fn at_least_one(option: &'static str, bytes: usize) -> Result<usize> {
    if bytes > 0 { Ok(bytes) } else { Err(wrong(option)("it must be at least 1".to_owned())) }
}

fn time(option: &'static str, seconds: f64) -> Result<Duration> {
    let time = Duration::try_from_secs_f64(seconds).ok();
    time.filter(|time| !time.is_zero() && *time <= LONGEST).ok_or_else(|| {
        wrong(option)(format!("`{seconds}` is not above 0 and at most {}", LONGEST.as_secs()))
    })
}

fn quota(option: &'static str, rate: Option<&str>) -> Result<Option<Quota>> {
    let Some(rate) = rate else { return Ok(None) };
    let read = || {
        let (count, period) = rate.split_once('/')?;
        let number = period.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
        let unit = match period.strip_prefix(number)? {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            _ => return None,
        };
        let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
        let period = Duration::from_secs(seconds);
        let count = count.parse().ok().filter(|count: &u32| *count > 0)?;
        (!period.is_zero() && period <= LONGEST).then(|| Quota::per(count, period))
    };
    read().map(Some).ok_or_else(|| {
        wrong(option)(format!("`{rate}` is no rate; write e.g. `600/10s`, or null for any number"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(options: Value) -> Result<Config> {
        Mounting::read(options)?.config()
    }

    #[test]
    fn what_is_not_said_is_as_everywhere() {
        let said = format!("{:?}", config(json!({})).unwrap());
        assert_eq!(said, format!("{:?}", Config::default()));
    }

    #[test]
    fn rates_are_read_and_null_is_none() {
        let ours = config(json!({ "per_caller": null, "per_address": "100/1m" })).unwrap();
        assert_eq!(ours.per_caller, None);
        assert_eq!(ours.per_address, Some(Quota::per(100, Duration::from_secs(60))));
    }

    #[test]
    fn an_option_that_is_wrong_is_named() {
        for (option, value) in [
            ("colour", json!(1)),
            ("cors_origins", json!(["app.example"])),
            ("trusted_proxies", json!(["proxy"])),
            ("proxy_header", json!("via")),
            ("body_limit", json!(0)),
            ("import_limit", json!(-1)),
            ("time_limit_seconds", json!(0)),
            ("time_limit_seconds", json!(1e300)),
            ("heartbeat_seconds", json!(-1.0)),
            ("per_caller", json!("600")),
            ("per_caller", json!("0/1s")),
            ("per_address", json!("1/0s")),
            ("per_address", json!("1/1w")),
            ("per_address", json!("1/18446744073709551615h")),
        ] {
            let error = config(json!({ option: value })).unwrap_err();
            let named = error.fields().first().map(|field| field.field.clone());
            assert_eq!(named.as_deref(), Some(option), "{value}: {error:?}");
        }
    }
}
