//! Contacts from files and to files.

use axum::body::{Body, Bytes};
use serde_json::json;

use crate::support::{Acme, Reply, Server};

const CSV: &str =
    "first_name,last_name,email\nAda,Lovelace,ada@example.com\nCharles,Babbage,charles@\n";

async fn import(server: &Server, acme: &Acme, query: &str, media: &str, file: &str) -> Reply {
    let path = format!("/contacts/import?{query}");
    let headers = [("content-type", media)];
    server.send("POST", &path, &acme.owner, &headers, Body::from(file.to_owned())).await
}

#[tokio::test]
async fn a_bad_row_loses_no_good_one() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let dry = import(&server, &acme, "dry_run=true", "text/csv; charset=utf-8", CSV).await.is(200);
    let report = import(&server, &acme, "", "text/csv", CSV).await.is(200);
    assert_eq!(dry, report);
    assert_eq!((&report["created"], &report["failed"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&report["errors"][0]["row"], &report["errors"][0]["code"]),
        (&json!(3), &json!("invalid_email"))
    );
    let again = import(&server, &acme, "on_conflict=error", "text/csv", CSV).await.is(200);
    assert_eq!((&again["created"], &again["failed"]), (&json!(0), &json!(2)));
    let list = server.get("/contacts?include_total=true", &acme.owner).await.is(200);
    assert_eq!(list["total"], 1);
}

#[tokio::test]
async fn the_format_is_the_media_type() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEMAIL:ada@example.com\r\nEND:VCARD\r\n";
    let line = "{\"first_name\":\"Grace\"}\n";
    for (media, file) in [("text/vcard", card), ("application/jsonl", line)] {
        assert_eq!(import(&server, &acme, "", media, file).await.is(200)["created"], 1);
    }
    for media in ["application/json", "text/plain", ""] {
        let reply = import(&server, &acme, "", media, CSV).await;
        reply.problem(415, "unsupported_media_type");
    }
    import(&server, &acme, "", "text/csv", "colour\nred\n").await.problem(422, "invalid");
    import(&server, &acme, "on_conflict=never", "text/csv", CSV).await.problem(400, "malformed");
}

/// Both stores keep what came of an import beside what it made.
#[tokio::test]
async fn an_import_with_a_key_is_done_once() {
    for server in [Server::new().await, Server::over_sqlite().await] {
        let acme = server.acme().await;
        let headers = [("content-type", "text/csv"), ("idempotency-key", "one")];
        let pieces = |file: &str| {
            let pieces: Vec<Result<Bytes, std::io::Error>> =
                file.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            Body::from_stream(futures::stream::iter(pieces))
        };
        let send = async |file: &str| {
            server.send("POST", "/contacts/import", &acme.owner, &headers, pieces(file)).await
        };
        let first = send(CSV).await;
        assert_eq!(
            (first.is(200)["created"].as_u64(), first.header("idempotency-replayed")),
            (Some(1), "")
        );
        let again = send(CSV).await;
        assert_eq!((again.is(200), again.header("idempotency-replayed")), (first.is(200), "true"));
        send("first_name\nGrace\n").await.problem(422, "idempotency_key_reused");
    }
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let server = Server::new().await;
    let (acme, other) = (server.tenant("Acme").await, server.tenant("Other").await);
    for number in 0..1200 {
        let name = format!("contact{number}");
        acme.contact(&name).await;
    }
    for (format, media) in
        [("csv", "text/csv"), ("vcard", "text/vcard"), ("jsonl", "application/jsonl")]
    {
        let path = format!("/contacts/export?format={format}");
        let file = server.get(&path, &acme.owner).await;
        assert_eq!(file.status.as_u16(), 200);
        assert!(file.header("content-type").starts_with(media));
        let ending = if format == "vcard" { "vcf" } else { format };
        let name = format!("attachment; filename=\"contacts.{ending}\"");
        assert_eq!(file.header("content-disposition"), name);
        let packed = [("accept-encoding", "gzip")];
        let packed = server.send("GET", &path, &acme.owner, &packed, Body::empty()).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert!(packed.bytes.starts_with(&[0x1f, 0x8b]) && packed.bytes.len() < file.bytes.len());
        let report = import(&server, &other, "dry_run=true", media, &file.text()).await.is(200);
        assert_eq!((&report["created"], &report["failed"]), (&json!(1200), &json!(0)), "{format}");
    }
    let get =
        async |query: &str| server.get(&format!("/contacts/export{query}"), &acme.owner).await;
    get("").await.problem(400, "malformed");
    get("?format=pdf").await.problem(400, "malformed");
}
