//! The parts of `postgres://user:password@host:port/database?parameters`.

use std::fmt;

#[derive(Clone)]
pub(crate) struct Address {
    user: String,
    password: Option<String>,
    pub(crate) host_and_port: String,
    database: String,
    parameters: Option<String>,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Address {
        Self::parts(url).unwrap_or_else(|| {
            panic!("`{url}` is not `postgres://user@host:port/database`");
        })
    }

    fn parts(url: &str) -> Option<Address> {
        let (_, rest) = url.split_once("://")?;
        let (rest, parameters) = match rest.split_once('?') {
            Some((rest, parameters)) => (rest, Some(parameters.to_owned())),
            None => (rest, None),
        };
        let (login, place) = rest.rsplit_once('@')?;
        let (host, database) = place.split_once('/')?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password.to_owned())),
            None => (login, None),
        };
        let host_and_port =
            if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
        Some(Address {
            user: user.to_owned(),
            password,
            host_and_port,
            database: database.to_owned(),
            parameters,
        })
    }

    /// Another user has another password: none, on a server for tests.
    pub(crate) fn user(mut self, user: &str) -> Address {
        if self.user != user {
            user.clone_into(&mut self.user);
            self.password = None;
        }
        self
    }

    pub(crate) fn database(mut self, database: &str) -> Address {
        database.clone_into(&mut self.database);
        self
    }

    pub(crate) fn at(mut self, host_and_port: &str) -> Address {
        host_and_port.clone_into(&mut self.host_and_port);
        self
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}", self.user)?;
        if let Some(password) = &self.password {
            write!(f, ":{password}")?;
        }
        write!(f, "@{}/{}", self.host_and_port, self.database)?;
        match &self.parameters {
            Some(parameters) => write!(f, "?{parameters}"),
            None => Ok(()),
        }
    }
}
