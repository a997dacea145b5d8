//! What host authors read is what there is.

use crm_embed::ports::{METHODS, answers, camel_case};

#[test]
fn names_in_node_are_in_camel_case() {
    let names = ["now", "hang_up", "delete_recording", "", "ring_for_seconds"];
    let camel = names.map(camel_case);
    assert_eq!(camel, ["now", "hangUp", "deleteRecording", "", "ringForSeconds"]);
}

#[test]
fn every_method_and_shape_is_described() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ports.md");
    let text = std::fs::read_to_string(path).unwrap();
    for method in METHODS {
        let title = match camel_case(method.name) {
            camel if camel == method.name => format!("`{}(", method.name),
            camel => format!("`{camel}`"),
        };
        let arguments = method.arguments.join(", ");
        let row = format!("| `{}({arguments})`", method.name);
        assert!(text.contains(&row), "{}: {row}", method.port);
        assert!(text.contains(&title), "{}: {title}", method.port);
        let row = text.lines().find(|line| line.starts_with(&row)).unwrap();
        assert_eq!(row.contains("optional"), method.optional, "{row}");
        assert_eq!(row.contains("at once"), method.at_once, "{row}");
        let shape = method.answer.trim_matches(['[', ']']);
        if answers().contains_key(shape) {
            assert!(row.contains(&format!("`{shape}`")), "{row}");
        }
    }
    for (name, schema) in answers() {
        let fields = schema["properties"].as_object().map(|fields| fields.keys().cloned());
        for field in fields.into_iter().flatten() {
            assert!(text.contains(&format!("`{field}`")), "`{field}` of {name}");
        }
    }
}
