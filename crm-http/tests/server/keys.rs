//! The file of keys.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::process::{PASSWORD, Server};
use crate::shell::Shell;

#[test]
fn keys_are_its_owners_alone_and_outlive_the_server() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let token = server.token();
    server.stop();
    let mode = std::fs::metadata(shell.path("crm.keys.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let server = Server::start(&shell, &[]);
    assert_eq!(server.get_as(&token, "/auth/me").status, 200);
    server.stop();

    let readable = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(shell.path("crm.keys.toml"), readable).unwrap();
    let done = shell.run(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    assert_eq!((done.status, done.out.as_str()), (2, ""), "{done:?}");
    assert_eq!(done.err.lines().count(), 1, "{done:?}");
    assert!(done.err.contains("mode 640") && done.err.contains("chmod 600"), "{done:?}");
}

#[test]
fn a_new_key_signs_and_nobody_is_signed_out() {
    let shell = Shell::new();
    let kids = |server: &Server| -> Vec<String> {
        let keys = server.get("/.well-known/jwks.json").json();
        let keys = keys["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(shell.run(&["keys", "rotate"]).status, 2, "there is no file yet");
    let server = Server::start(&shell, &[]);
    let old_token = server.token();
    let first = kids(&server);
    server.stop();

    assert_eq!(shell.run(&["keys", "rotate", "--finish"]).status, 2, "no key waits");
    assert!(shell.ok(&["keys", "rotate"]).contains("--finish"));
    assert_eq!(shell.run(&["keys", "rotate"]).status, 2, "one waits already");
    let server = Server::start(&shell, &[]);
    let both = kids(&server);
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "the old one signs still");
    server.stop();

    shell.ok(&["keys", "rotate", "--finish"]);
    let server = Server::start(&shell, &[]);
    assert_eq!(kids(&server), [both[1].as_str(), &both[0]]);
    assert_eq!(server.get_as(&old_token, "/auth/me").status, 200);
    let body = json!({ "email": "ada@acme.example", "password": PASSWORD });
    let reply = server.post("/auth/login", &body).json();
    let new_token = reply["access_token"].as_str().unwrap();
    assert_ne!(new_token.split('.').next(), old_token.split('.').next(), "another `kid`");
    assert_eq!(server.get_as(new_token, "/auth/me").status, 200);
}

#[test]
fn what_is_no_file_of_keys_is_not_repeated() {
    let shell = Shell::new();
    for content in ["private_key = \"MARKER", "[[token]]\nMARKER = 1\n", "token = []\nseal = []\n"]
    {
        shell.write("own.toml", content);
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(shell.path("own.toml"), private).unwrap();
        let args =
            ["serve", "--keys", "own.toml", "--listen", "127.0.0.1:0", "--metrics-listen", "off"];
        let done = shell.run(&args);
        assert_eq!((done.status, done.err.lines().count()), (2, 1), "{done:?}");
        assert!(done.err.contains("own.toml") && !done.err.contains("MARKER"), "{done:?}");
    }
}

#[test]
fn an_invitation_opens_the_door_once() {
    let shell = Shell::new();
    shell.write("crm.toml", "registration = \"invitation\"\nkeys = \"own.keys.toml\"\n");
    let server = Server::start(&shell, &[]);
    assert_eq!(server.register().status, 403);
    let invitation = shell.ok(&["tenant", "invite", "--valid-for", "1h"]);
    assert!(!shell.path("crm.keys.toml").exists(), "the file names the keys for every command");
    let mut body = json!({
        "company_name": "Acme", "full_name": "Ada", "email": "ada@acme.example",
        "password": PASSWORD, "invitation": invitation.trim(),
    });
    assert_eq!(server.post("/auth/register", &body).status, 201);
    body["email"] = "bob@acme.example".into();
    assert_eq!(server.post("/auth/register", &body).status, 403);
}
