//! `seed`.

use serde_json::Value;

use crate::shell::Shell;

/// Each contact's e-mail with its activities, but for what a database gives by itself.
fn happenings(shell: &Shell) -> Vec<(Value, Vec<Value>)> {
    let lines = shell.ok(&["export", "--tenant", "sample", "--format", "jsonl"]);
    let mut all: Vec<(Value, Vec<Value>)> = lines
        .lines()
        .map(|line| {
            let contact: Value = serde_json::from_str(line).unwrap();
            let id = contact["id"].as_str().unwrap();
            let timeline = shell.json(&["timeline", "--tenant", "sample", id]);
            let activities = timeline["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|activity| activity["kind"] != "contact_created")
                .map(|activity| {
                    let mut activity = activity.clone();
                    for own in ["id", "contact_id", "created_at"] {
                        activity.as_object_mut().unwrap().remove(own);
                    }
                    activity
                })
                .collect();
            (contact["emails"][0]["address"].clone(), activities)
        })
        .collect();
    all.sort_by_key(|(email, _)| email.to_string());
    all
}

#[test]
fn the_seed_decides_who_and_what() {
    let shells = [Shell::new(), Shell::new(), Shell::new()];
    for (shell, seed) in shells.iter().zip(["7", "7", "8"]) {
        let made = shell.json(&["seed", "--contacts", "12", "--activities", "3", "--seed", seed]);
        assert_eq!(made["created"], 12);
        assert_eq!(made["activities"], 36);
    }
    let [first, same, other] = shells.each_ref().map(happenings);
    assert_eq!(first.len(), 12);
    assert!(first.iter().all(|(_, activities)| activities.len() == 3));
    assert_eq!(first, same);
    // Both the people and what happened with them are others.
    for ((email, activities), (other_email, other_activities)) in first.iter().zip(&other) {
        assert_ne!(email, other_email);
        assert_ne!(activities, other_activities);
    }
}

#[test]
fn a_second_run_completes_what_is_missing() {
    let shell = Shell::new();
    shell.ok(&["seed", "--contacts", "5", "--activities", "1"]);
    let more = shell.json(&["seed", "--contacts", "8", "--activities", "3"]);
    assert_eq!((&more["created"], &more["skipped"]), (&Value::from(3), &Value::from(5)));
    assert_eq!(more["activities"], 5 * 2 + 3 * 3);
    let again = shell.json(&["seed", "--contacts", "8", "--activities", "3"]);
    assert_eq!((&again["created"], &again["activities"]), (&Value::from(0), &Value::from(0)));

    let at_once = Shell::new();
    at_once.ok(&["seed", "--contacts", "8", "--activities", "3"]);
    assert_eq!(happenings(&shell), happenings(&at_once));
}

#[test]
fn a_tenant_that_exists_is_filled() {
    let shell = Shell::with_tenant();
    let made = shell.json(&["seed", "--contacts", "1500", "--tenant", "acme"]);
    assert_eq!((&made["created"], &made["failed"]), (&Value::from(1500), &Value::from(0)));
    let lines = shell.ok(&["export", "--tenant", "acme", "--format", "jsonl"]);
    assert_eq!(lines.lines().count(), 1500);
}
