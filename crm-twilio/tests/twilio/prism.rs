//! Prism with Twilio's own OpenAPI document: it refuses what the document does not allow, and answers with the
//! document's examples.

use std::net::TcpListener;
use std::process::Stdio;

use crm_core::calls::CallStatus;
use crm_core::telephony::{Started, Telephony as _};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::peer::{Answer, Peer};
use crate::scene::{self, ACCOUNT, CALL, RECORDING, account, outgoing, sought};
use crate::tools::Tools;

/// Ends with this value, also when a test panics.
pub(crate) struct Prism {
    pub(crate) url: String,
    _process: Child,
    /// Whose pipe must stay open.
    _out: Lines<BufReader<ChildStdout>>,
}

impl Prism {
    pub(crate) async fn start(tools: &Tools) -> Self {
        // Its port must be known before it starts; somebody else may take it meanwhile.
        for _ in 0..5 {
            if let Some(prism) = Prism::try_start(tools).await {
                return prism;
            }
        }
        panic!("Prism does not start");
    }

    async fn try_start(tools: &Tools) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let document = tools.data.join("twilio/twilio_api_v2010.prism.json");
        assert!(document.exists(), "{document:?} is missing");
        let mut process = Command::new(tools.npm("prism"))
            .args(["mock", "-h", "127.0.0.1", "-p", &port.to_string()])
            .arg(document)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Some(line) = out.next_line().await.unwrap() {
            if line.contains("Prism is listening") {
                let url = format!("http://127.0.0.1:{port}");
                return Some(Prism { url, _process: process, _out: out });
            }
        }
        None
    }
}

#[tokio::test]
async fn every_request_is_as_the_document_has_it() {
    let Some(tools) = Tools::find() else { return };
    let prism = Prism::start(&tools).await;

    // It does refuse: a call to nobody, and one of nobody.
    let client = reqwest::Client::new();
    let calls = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Calls.json", prism.url);
    let post = |form: &'static str| {
        let kind = "application/x-www-form-urlencoded";
        client.post(&calls).basic_auth(ACCOUNT, Some("x")).header("content-type", kind).body(form)
    };
    let refused = post("From=%2B14155550199").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 400);
    let soon = post("From=%2B14155550199&To=%2B14155550100&Timeout=soon").send().await.unwrap();
    assert_eq!(soon.status().as_u16(), 400);
    let stranger = client.get(&calls).send().await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);
    let wrong = format!("{calls}?PageSize=1001");
    let wrong = client.get(wrong).basic_auth(ACCOUNT, Some("x")).send().await.unwrap();
    assert_eq!(wrong.status().as_u16(), 400);

    let (twilio, account) = (scene::twilio(&prism.url), account());
    let started = twilio.start(&account, &outgoing()).await.unwrap();
    assert!(matches!(started, Started::Placed(_)), "{started:?}");
    let mut plain = outgoing();
    (plain.record, plain.detect_machine, plain.callback) = (false, false, None);
    let started = twilio.start(&account, &plain).await.unwrap();
    assert!(matches!(started, Started::Placed(_)), "{started:?}");
    let call = twilio.fetch(&account, CALL).await.unwrap();
    assert_eq!(call.progress.status(), CallStatus::Completed);
    assert!(call.progress.price.is_some() && call.progress.ended_at.is_some(), "{call:?}");
    twilio.hang_up(&account, CALL).await.unwrap();
    let recordings = twilio.recordings(&account, CALL).await.unwrap();
    assert_eq!(recordings.len(), 1);
    twilio.delete_recording(&account, RECORDING).await.unwrap();

    // The example of a list has a next page that the document itself does not allow.
    let page = r#"{"calls":[],"next_page_uri":null}"#;
    let peer = Peer::saying(vec![Answer::json(200, page)]).await;
    scene::twilio(&peer.url).find(&account, &sought()).await.unwrap();
    let came = &peer.came()[0];
    let find = client.get(format!("{}{}", prism.url, came.target));
    let find = find.header("authorization", came.header("authorization").unwrap());
    assert_eq!(find.send().await.unwrap().status().as_u16(), 200, "{}", came.target);
}
