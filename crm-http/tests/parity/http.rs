//! The HTTP API, asked as its document says.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use crm_core::operations;
use crm_http::{Config, router};
use futures::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::scenario::{Front, crm};

pub(crate) struct Http {
    router: Router,
    document: Value,
}

impl Http {
    pub(crate) async fn open() -> Self {
        let mut config = Config::default();
        config.per_caller = None;
        config.per_address = None;
        Http { router: router(crm().await, config), document: crm_http::document() }
    }

    /// Method and path of an operation.
    fn route(&self, name: &str) -> (String, String) {
        let operation = operations::named(name).unwrap_or_else(|| panic!("there is no {name}"));
        let id = operation.http.unwrap_or_else(|| panic!("HTTP has no {name}"));
        let paths = self.document["paths"].as_object().unwrap();
        let mut routes = paths.iter().flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, of)| (method, path, of))
        });
        let (method, path, _) = routes.find(|(.., of)| of["operationId"] == id).unwrap();
        (method.to_uppercase(), path.clone())
    }

    async fn ask(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }
}

impl Front for Http {
    async fn call(
        &self,
        name: &str,
        mut with: Map<String, Value>,
        by: &str,
    ) -> Result<Value, Value> {
        let (method, mut path) = self.route(name);
        if path.contains("{id}") {
            path = path.replace("{id}", with.remove("id").unwrap().as_str().unwrap());
        }
        let version = with.remove("version");
        let mut body = Body::empty();
        if method == "GET" {
            let pairs = with.iter().map(|(name, value)| (name, text(value)));
            path = format!(
                "{path}?{}",
                serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).unwrap()
            );
        } else if !with.is_empty() || operations::named(name).unwrap().fields.is_some() {
            body = Body::from(Value::Object(with.clone()).to_string());
        } else if name == "identity.refresh" || name == "account.sign_out" {
            body = Body::from("{}");
        }
        let mut request = Request::builder().method(&*method).uri(path);
        request = request.header("content-type", "application/json");
        if !by.is_empty() && operations::named(name).unwrap().in_session() {
            request = request.header("authorization", format!("Bearer {by}"));
        }
        if let Some(version) = version {
            request = request.header("if-match", format!("\"{}\"", text(&version)));
        }
        let reply = self.ask(request.body(body).unwrap()).await;
        let status = reply.status();
        let bytes = reply.into_body().collect().await.unwrap().to_bytes();
        let mut json: Value = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).unwrap(),
        };
        if status.is_success() {
            return Ok(json);
        }
        // A problem document names refused values `errors`.
        let fields = json["errors"].take();
        Err(json!({ "code": json["code"], "fields": fields, "existing_id": json["existing_id"] }))
    }

    async fn events(&self, by: &str, count: usize) -> Vec<String> {
        let request = Request::get("/events?after=0000000000000000")
            .header("authorization", format!("Bearer {by}"))
            .body(Body::empty())
            .unwrap();
        let mut stream = self.ask(request).await.into_body().into_data_stream();
        let mut text = String::new();
        loop {
            let frames = text.lines().filter_map(|line| line.strip_prefix("data:"));
            let frames = frames.filter_map(|data| serde_json::from_str::<Value>(data).ok());
            let names = frames.filter_map(|data| Some(data["event"]["name"].as_str()?.to_owned()));
            let names: Vec<String> = names.take(count).collect();
            if names.len() == count {
                return names;
            }
            text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
