//! Comments of Rust as comments of TypeScript.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{camel, list};

/// Names that are written in another way in TypeScript.
pub(super) struct Words {
    fields: BTreeSet<String>,
}

impl Words {
    pub(super) fn of(surface: &Value) -> Self {
        let mut fields = BTreeSet::new();
        collect(surface.get("requests"), &mut fields);
        collect(surface.get("replies"), &mut fields);
        for operation in list(surface, "operations") {
            fields.extend(list(operation, "arguments").iter().filter_map(|argument| {
                argument.get("name").and_then(Value::as_str).map(str::to_owned)
            }));
        }
        Words { fields }
    }

    /// `doc` in the words of TypeScript; the bounds that Rust has names for are in `schema`.
    pub(super) fn plain(&self, doc: &str, schema: &Value) -> String {
        let joined = doc.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let mut out = String::new();
        for (at, piece) in joined.split('`').enumerate() {
            if at % 2 == 0 {
                out += piece;
                continue;
            }
            let linked = out.ends_with('[');
            if linked {
                out.pop();
            }
            out += &self.word(piece, linked, schema);
        }
        // What is left of links.
        out.replace("`]", "`").replace("\u{1}]", "")
    }

    fn word(&self, word: &str, linked: bool, schema: &Value) -> String {
        if linked && word.starts_with("MAX_") {
            let bound = ["maxLength", "maxItems", "maximum", "maxProperties"];
            let bound = bound.iter().find_map(|key| schema.get(key)).and_then(Value::as_u64);
            return bound.map_or_else(
                || "the bound\u{1}".to_owned(),
                |bound| format!("{}\u{1}", grouped(bound)),
            );
        }
        if word == "None" {
            return "`null`".to_owned();
        }
        if let Some((of, verb)) = word.split_once("::") {
            return format!("`{}.{}`", of.to_lowercase(), camel(verb));
        }
        if self.fields.contains(word) { format!("`{}`", camel(word)) } else { format!("`{word}`") }
    }
}

fn collect(schema: Option<&Value>, fields: &mut BTreeSet<String>) {
    match schema {
        Some(Value::Object(object)) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                fields.extend(properties.keys().cloned());
            }
            object.values().for_each(|inner| collect(Some(inner), fields));
        }
        Some(Value::Array(array)) => array.iter().for_each(|inner| collect(Some(inner), fields)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
    }
}

/// 16384 as `16,384`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A comment before what is declared, `depth` levels in.
pub(super) fn comment(text: &str, depth: usize) -> String {
    if text.is_empty() {
        return String::new();
    }
    let indent = "    ".repeat(depth);
    let text = text.replace("*/", "* /");
    let room = 110 - indent.len();
    if text.len() + 7 <= room {
        return format!("{indent}/** {text} */\n");
    }
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut()
            && (line.is_empty() || line.len() + word.len() + 4 <= room)
        {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        lines.push(word.to_owned());
    }
    let body: String = lines.iter().map(|line| format!("{indent} * {line}\n")).collect();
    format!("{indent}/**\n{body}{indent} */\n")
}
