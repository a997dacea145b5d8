//! Providers of identities, as the configuration file names them.

use crate::process::Server;
use crate::settings::refused;
use crate::shell::Shell;

const URL: &str = "public_url = \"https://crm.example\"\n";
const FREE: [&str; 4] = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];

/// A table with these lines more.
fn table(more: &str) -> String {
    format!(
        "{URL}[[oidc]]\nname = \"corp-id\"\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"crm\"\n{more}"
    )
}

#[test]
fn what_cannot_be_right_is_one_line_that_says_where() {
    let shell = Shell::new();
    let whole = table("");
    let files = [
        ("[[oidc]]\nname = \"a\"".to_owned(), vec!["`issuer`"]),
        ("[[oidc]]\nnam = \"a\"".to_owned(), vec!["`nam`", "`name`"]),
        ("oidc = 5".to_owned(), vec!["5"]),
        (whole.replace(URL, ""), vec!["`public_url`", "https://crm.example"]),
        (whole.replace("https://crm", "http://crm"), vec!["`corp-id`", "`public_url`", "https"]),
        (whole.replace("http://127.0.0.1:1", "http://idp.example"), vec!["`issuer`", "https"]),
        (whole.replace("corp-id", "Corp"), vec!["`Corp`", "`name`", "a-z0-9-"]),
        (whole.replace("\"crm\"", "\"\""), vec!["`client_id`"]),
        (format!("{whole}{}", whole.replace(URL, "")), vec!["`corp-id` comes twice"]),
        (table("return_to = \"http://app.example/\""), vec!["`return_to`", "https"]),
        (table("return_to = \"here\""), vec!["relative URL"]),
        (table("scopes = \"email\""), vec!["scopes"]),
        (table("client_secret = \"\""), vec!["secret is empty"]),
        (table("client_secret_env = \"CRM_TEST_NOT_SET\""), vec!["`CRM_TEST_NOT_SET`"]),
        (
            table("client_secret = \"a\"\nclient_secret_env = \"CRM_TEST_NOT_SET\""),
            vec!["not both"],
        ),
    ];
    for (content, mut named) in files {
        shell.write("crm.toml", content);
        named.push("crm.toml: `[[oidc]]`: ");
        refused(&shell, &FREE, &[], &named);
    }
    shell.write("crm.toml", &whole);
    let empty = [("CRM_OIDC_CORP_ID_CLIENT_SECRET", "")];
    refused(&shell, &FREE, &empty, &["`corp-id`", "secret is empty"]);
    assert!(!shell.path("crm.db").exists(), "nothing is made before the file is right");
}

#[test]
fn a_provider_of_the_file_is_asked_and_its_secret_is_not_told() {
    let shell = Shell::new();
    let env = [("CRM_TEST_OIDC_SECRET", "MARKER-2")];
    for more in ["client_secret = \"MARKER-1\"", "client_secret_env = \"CRM_TEST_OIDC_SECRET\""] {
        shell.write("crm.toml", table(more));
        let server = Server::start_with(&shell, &["--log-level", "trace"], &env);
        // Nobody listens there.
        assert_eq!(server.send("GET", "/auth/oidc/corp-id/login", &[], "").status, 503);
        assert_eq!(server.send("GET", "/auth/oidc/corp/login", &[], "").status, 404);
        server.stop();
    }
    let log = shell.read("stderr");
    assert!(log.contains("/auth/oidc/{provider}/login") && !log.contains("MARKER"), "{log}");
}
