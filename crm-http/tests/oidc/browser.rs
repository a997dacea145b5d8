//! A browser, as far as a sign-in needs one: it keeps cookies and says where it is sent.

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    path: String,
}

pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) cookies: Vec<Cookie>,
}

/// A page, or the way to another one.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) to: Option<Url>,
    pub(crate) set_cookie: Vec<String>,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Browser { http, cookies: Vec::new() }
    }

    pub(crate) async fn get(&mut self, url: impl AsRef<str>) -> Page {
        self.send(Method::GET, url.as_ref(), "", String::new()).await
    }

    pub(crate) async fn post_form(&mut self, url: &Url, fields: &[(&str, &str)]) -> Page {
        let body = serde_urlencoded::to_string(fields).unwrap();
        self.send(Method::POST, url.as_str(), "application/x-www-form-urlencoded", body).await
    }

    pub(crate) async fn post_json(&mut self, url: &str, body: &Value) -> Page {
        self.send(Method::POST, url, "application/json", body.to_string()).await
    }

    async fn send(&mut self, method: Method, url: &str, content: &str, body: String) -> Page {
        let url = Url::parse(url).unwrap();
        let mine = self.cookies.iter().filter(|cookie| url.path().starts_with(&cookie.path));
        let mine: Vec<String> = mine.map(|c| format!("{}={}", c.name, c.value)).collect();
        let mut request = self.http.request(method, url.clone()).body(body);
        if !content.is_empty() {
            request = request.header(CONTENT_TYPE, content);
        }
        if !mine.is_empty() {
            request = request.header(COOKIE, mine.join("; "));
        }
        let response = request.send().await.unwrap();
        let said = response.headers().get_all(SET_COOKIE).iter();
        let set_cookie: Vec<String> = said.map(|line| line.to_str().unwrap().to_owned()).collect();
        set_cookie.iter().for_each(|line| self.keep(line));
        let to = response.headers().get(LOCATION);
        let to = to.map(|to| url.join(to.to_str().unwrap()).unwrap());
        let status = response.status();
        Page { url, status, to, set_cookie, body: response.text().await.unwrap() }
    }

    fn keep(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let (mut path, mut over) = ("/", value.is_empty());
        for part in parts {
            match part.split_once('=') {
                Some((key, own)) if key.eq_ignore_ascii_case("path") => path = own,
                Some((key, own)) if key.eq_ignore_ascii_case("max-age") => over |= own == "0",
                Some(_) | None => {}
            }
        }
        self.cookies.retain(|cookie| cookie.name != name || cookie.path != path);
        if !over {
            let (name, value, path) = (name.to_owned(), value.to_owned(), path.to_owned());
            self.cookies.push(Cookie { name, value, path });
        }
    }
}

impl Page {
    pub(crate) fn to(&self) -> &Url {
        self.to.as_ref().unwrap_or_else(|| panic!("sent nowhere: {self:?}"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Checks that this is a problem document of this status and code, and gives its detail.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// Checks that somebody is signed in, and gives their address.
    #[track_caller]
    pub(crate) fn signed_in(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let reply = self.json();
        assert_eq!(reply["token_type"], "Bearer");
        for token in ["access_token", "refresh_token"] {
            assert!(reply[token].as_str().is_some_and(|text| text.len() > 40), "{token}");
        }
        reply["user"]["email"].as_str().unwrap().to_owned()
    }
}

/// A parameter of an address.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

/// The address with a parameter changed, or without it.
pub(crate) fn with_parameter(url: &Url, name: &str, value: Option<&str>) -> Url {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(own, _)| own != name)
        .map(|(own, value)| (own.into_owned(), value.into_owned()))
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(others);
    if let Some(value) = value {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

impl Cookie {
    /// The same cookie, sent to more paths.
    pub(crate) fn at(self, path: &str) -> Self {
        Cookie { path: path.to_owned(), ..self }
    }
}
