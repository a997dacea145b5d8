//! Passwords, rights and certificates.

use std::time::Duration;

use crm_core::ports::{Cache as _, EventBus as _, Limits as _, News, Presence as _, Quota};
use crm_core::presence::Connected;
use crm_core::{ErrorKind, TenantId, UserId};
use crm_redis::{Redis, RedisOptions};
use uuid::Uuid;

use crate::support::{Server, hears, openssl, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Every command that there is.
async fn works(url: &str, options: &RedisOptions) {
    let one = Redis::connect_with(url, options.clone()).await.unwrap();
    let two = Redis::connect_with(url, options.clone()).await.unwrap();
    one.check().await.unwrap();
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    let user = UserId::from_uuid(Uuid::from_u128(2));
    let connected = Connected { user, connection: Uuid::from_u128(3) };
    let now = "2026-01-05T09:00:00Z".parse().unwrap();
    one.presence().here(tenant, &[connected], now, MINUTE).await.unwrap();
    assert_eq!(two.presence().present(tenant, now).await.unwrap().len(), 1);
    one.presence().gone(tenant, connected).await.unwrap();
    let quota = Quota::new(1, MINUTE);
    one.limits().take("a", quota, now).await.unwrap();
    assert!(!two.limits().take("a", quota, now).await.unwrap().allowed, "they count together");
    one.limits().give_back("a", quota, now).await.unwrap();
    assert!(two.limits().take("a", quota, now).await.unwrap().allowed, "they count together");
    let ticket = match one.cache().get(tenant, "a").await.unwrap() {
        crm_core::ports::Cached::Miss(ticket) => ticket,
        hit @ crm_core::ports::Cached::Hit(_) => panic!("{hit:?}"),
    };
    one.cache().put(tenant, "a", ticket, "value".into(), MINUTE).await.unwrap();
    one.cache().forget(tenant, &["a".to_owned()]).await.unwrap();
    let (told, heard) = (one.bus(), two.bus());
    heard.listens().await;
    let mut listener = heard.listen();
    told.tell(News::Jobs);
    hears(&mut listener, News::Jobs, MINUTE).await;
    until("both nodes are reached", MINUTE, || told.is_up() && heard.is_up()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_its_own_needs_few_rights() {
    let server = Server::start(&[]).await;
    let docs = include_str!("../../src/lib.rs").split("```text").nth(1).unwrap();
    let rule = docs.split("```").next().unwrap().replace("//!", " ").replace('\n', " ");
    let rule = rule.trim().replace("SECRET", "sec:ret");
    assert!(rule.starts_with("ACL SETUSER crm on >sec:ret ~crm:* &crm:* "), "{rule}");
    assert_eq!(server.command(&rule), "+OK");
    assert_eq!(server.command("ACL SETUSER default off"), "+OK");
    let url = |user: &str| format!("redis://{user}@127.0.0.1:{}", server.port);
    let options = RedisOptions::default();
    works(&url("crm:sec%3Aret"), &options).await;
    let prefix = "crm:second".to_owned();
    works(&url("crm:sec%3Aret"), &RedisOptions { prefix, ..options.clone() }).await;

    let foreign = RedisOptions { prefix: "other".to_owned(), ..options };
    let redis = Redis::connect_with(&url("crm:sec%3Aret"), foreign).await.unwrap();
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    let now = "2026-01-05T09:00:00Z".parse().unwrap();
    let refused = redis.presence().present(tenant, now).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    for user in ["crm:wrong", "default", "other:sec%3Aret"] {
        let redis = Redis::connect(&url(user)).await.unwrap();
        let refused = redis.check().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(!format!("{refused:?} {redis:?}").contains("wrong"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_known_by_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout";
    openssl(path, &format!("req -x509 {key} ca.key -out ca.pem -subj /CN=ca -days 2"));
    openssl(path, &format!("req {key} server.key -out server.csr -subj /CN=redis"));
    std::fs::write(path.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE")
        .unwrap();
    let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    openssl(path, &format!("{sign} -extfile names -out server.pem"));

    let file = |name: &str| path.join(name).display().to_string();
    let (certificate, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let tls = ["--port", "0", "--tls-port", "PORT", "--tls-auth-clients", "no"];
    let files =
        ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let server = Server::start(&[&tls[..], &files[..]].concat()).await;

    let roots = std::fs::read(&ca).unwrap();
    let url = format!("rediss://127.0.0.1:{}", server.port);
    let trusting = RedisOptions { root_certificates: Some(roots), ..RedisOptions::default() };
    works(&url, &trusting).await;
    let unknown = Redis::connect(&url).await.unwrap();
    assert_eq!(unknown.check().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let other_name = format!("rediss://localhost:{}", server.port);
    let misnamed = Redis::connect_with(&other_name, trusting).await.unwrap();
    assert_eq!(misnamed.check().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn what_is_no_redis_is_refused() {
    let unchecked = "rediss://127.0.0.1/#insecure";
    let wrong = ["", "redis", "http://127.0.0.1", "unix:///tmp/redis.sock", "redis://:se@cret@x:y"];
    for url in wrong.into_iter().chain([unchecked]) {
        let refused = Redis::connect(url).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{url}");
        assert!(!format!("{refused:?}").contains("cret"), "{refused:?}");
    }
    for prefix in ["", "a b", "{a}", "a}", &"a".repeat(65), "é"] {
        let options = RedisOptions { prefix: prefix.to_owned(), ..RedisOptions::default() };
        let refused = Redis::connect_with("redis://127.0.0.1:1", options).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{prefix}");
    }
}
