//! Types of Python from JSON Schema.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::{list, text};

/// Columns of a line.
const WIDTH: usize = 100;

pub(super) struct Types<'a> {
    requests: &'a Map<String, Value>,
    replies: &'a Map<String, Value>,
}

impl<'a> Types<'a> {
    pub(super) fn new(surface: &'a Value) -> Self {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let types = |of: &str| surface[of].as_object().unwrap_or(&NONE);
        Types { requests: types("requests"), replies: types("replies") }
    }

    /// What the fields of an operation are.
    pub(super) fn request(&self, schema: &Value) -> &'a Value {
        self.requests.get(referred(schema)).unwrap_or(&Value::Null)
    }

    /// Records by the names of their schemas.
    pub(super) fn classes(&self) -> impl Iterator<Item = (&'a String, String)> {
        let records = self.replies.iter().filter(|(_, schema)| is_record(schema));
        records.map(|(name, _)| (name, class_name(name)))
    }

    /// What a page holds.
    pub(super) fn item_of(&self, reply: &Value) -> Option<String> {
        let items = self.replies.get(referred(reply))?.pointer("/properties/items/items")?;
        Some(self.output(items))
    }

    pub(super) fn output(&self, schema: &Value) -> String {
        self.kind(schema, false)
    }

    /// The type of what is given.
    pub(super) fn input(&self, schema: &Value, or_none: bool) -> String {
        let kind = self.kind(schema, true);
        if or_none && !kind.ends_with("| None") && kind != "Any" {
            format!("{kind} | None")
        } else {
            kind
        }
    }

    fn kind(&self, schema: &Value, given: bool) -> String {
        let name = referred(schema);
        if !name.is_empty() {
            return self.named(name, given);
        }
        if let Some(words) = words(schema) {
            return literal(&words);
        }
        if let Some(any) = schema["anyOf"].as_array().filter(|_| schema["type"].is_null()) {
            let mut kinds: Vec<String> = Vec::new();
            for kind in any.iter().map(|one| self.kind(one, given)) {
                if kind != "None" && !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            if any.iter().any(|one| one["type"] == "null") {
                kinds.push("None".to_owned());
            }
            return kinds.join(" | ");
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().map(text).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        if types.is_empty() {
            return "Any".to_owned();
        }
        let kinds: Vec<String> = types.iter().map(|one| self.of_type(one, schema, given)).collect();
        kinds.join(" | ")
    }

    fn of_type(&self, name: &str, schema: &Value, given: bool) -> String {
        match (name, text(&schema["format"])) {
            ("string", "uuid") if given => "UUID | str".to_owned(),
            ("string", "uuid") => "UUID".to_owned(),
            ("string", "date-time") if given => "datetime | str".to_owned(),
            ("string", "date-time") => "datetime".to_owned(),
            ("string", _) => "str".to_owned(),
            ("boolean", _) => "bool".to_owned(),
            ("integer", _) => "int".to_owned(),
            ("number", _) => "float".to_owned(),
            ("null", _) => "None".to_owned(),
            ("array", _) if given => format!("Sequence[{}]", self.kind(&schema["items"], true)),
            ("array", _) => format!("tuple[{}, ...]", self.kind(&schema["items"], false)),
            _ => {
                let values = &schema["additionalProperties"];
                let values =
                    if values.is_object() { self.kind(values, given) } else { "Any".to_owned() };
                let map = if given { "Mapping" } else { "dict" };
                format!("{map}[str, {values}]")
            }
        }
    }

    fn named(&self, name: &str, given: bool) -> String {
        let Some(schema) = (if given { self.requests } else { self.replies }).get(name) else {
            return "Any".to_owned();
        };
        if words(schema).is_some() {
            return name.to_owned();
        }
        if !is_record(schema) {
            return self.kind(schema, given);
        }
        if !given {
            return class_name(name);
        }
        if self.replies.contains_key(name) {
            return format!("{name}Input | {name}");
        }
        name.to_owned()
    }

    /// Writes enumerations, records and what is given as dicts.
    pub(super) fn write(&self, out: &mut String) {
        let mut enumerations: BTreeMap<&str, &Value> = BTreeMap::new();
        for (name, schema) in self.requests.iter().chain(self.replies) {
            if words(schema).is_some() {
                enumerations.insert(name, schema);
            }
        }
        for (name, schema) in enumerations {
            let of = words(schema).unwrap_or_default();
            let _ = writeln!(out, "{name} = {}", literal(&of));
            let _ =
                writeln!(out, "\"\"\"{}\"\"\"\n", wrapped(&plain(text(&schema["description"])), 0));
        }
        for (name, schema) in self.replies.iter().filter(|(_, schema)| is_record(schema)) {
            self.record(out, name, schema);
        }
        for (name, schema) in self.nested() {
            self.given(out, name, schema);
        }
    }

    /// What is given within something else.
    fn nested(&self) -> Vec<(&'a String, &'a Value)> {
        let mut wanted: Vec<&str> = Vec::new();
        let mut queue: Vec<&Value> = Vec::new();
        for schema in self.requests.values() {
            queue
                .extend(schema["properties"].as_object().into_iter().flatten().map(|(_, one)| one));
        }
        // Lists of whole commands are given as dicts, too.
        wanted.extend(["NewContact", "NewActivity"]);
        while let Some(schema) = queue.pop() {
            match schema {
                Value::Object(fields) => {
                    let name = referred(schema);
                    if !name.is_empty() {
                        wanted.push(name);
                    }
                    queue.extend(fields.values());
                }
                Value::Array(items) => queue.extend(items),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let is_wanted = |name: &String| wanted.contains(&name.as_str());
        self.requests.iter().filter(|(name, schema)| is_wanted(name) && is_record(schema)).collect()
    }

    fn record(&self, out: &mut String, name: &str, schema: &Value) {
        let class = class_name(name);
        let properties = fields(schema);
        let item = properties.iter().find(|(name, _)| *name == "items").map(|(_, schema)| *schema);
        let base = match item {
            // The item's class stands further down: its name.
            Some(items) if class.ends_with("Page") => {
                format!("Page[\"{}\"]", self.output(&items["items"]))
            }
            Some(_) | None => "Record".to_owned(),
        };
        let doc = wrapped(&plain(text(&schema["description"])), 4);
        let _ = write!(out, "\n\nclass {class}({base}):\n    \"\"\"{doc}\"\"\"\n\n");
        for (name, schema) in &properties {
            let attribute = attribute(name);
            let _ = writeln!(out, "    {attribute}: {}", self.output(schema));
            let doc = sentences(schema);
            if !doc.is_empty() {
                let _ = writeln!(out, "    \"\"\"{}\"\"\"", wrapped(&doc, 4));
            }
        }
    }

    fn given(&self, out: &mut String, name: &str, schema: &Value) {
        let class =
            if self.replies.contains_key(name) { format!("{name}Input") } else { name.to_owned() };
        let doc = wrapped(&plain(text(&schema["description"])), 4);
        let is_required = |name: &str| list(&schema["required"]).any(|one| one == name);
        let properties = fields(schema);
        if properties.iter().any(|(name, _)| attribute(name) != *name) {
            let _ = write!(out, "\n\n{class} = TypedDict(\n    \"{class}\",\n    {{\n");
            for (name, schema) in properties {
                let _ = writeln!(
                    out,
                    "        \"{name}\": \"{}\",",
                    self.input(schema, !is_required(name))
                );
            }
            let _ = write!(
                out,
                "    }},\n)\n\"\"\"{}\"\"\"\n",
                wrapped(&plain(text(&schema["description"])), 0)
            );
            return;
        }
        let (needed, free): (Vec<_>, Vec<_>) =
            properties.into_iter().partition(|(name, _)| is_required(name));
        let base = if needed.is_empty() || free.is_empty() {
            "TypedDict".to_owned()
        } else {
            let base = format!("_{class}Required");
            let _ = write!(out, "\n\nclass {base}(TypedDict):\n");
            self.keys(out, &needed, false);
            base
        };
        let (total, keys) = if free.is_empty() { ("", needed) } else { (", total=False", free) };
        let _ = write!(out, "\n\nclass {class}({base}{total}):\n    \"\"\"{doc}\"\"\"\n\n");
        self.keys(out, &keys, !total.is_empty());
    }

    fn keys(&self, out: &mut String, keys: &[(&str, &Value)], or_none: bool) {
        for (name, schema) in keys {
            let _ = writeln!(out, "    {name}: {}", self.input(schema, or_none));
            let doc = sentences(schema);
            if !doc.is_empty() {
                let _ = writeln!(out, "    \"\"\"{}\"\"\"", wrapped(&doc, 4));
            }
        }
    }
}

fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let properties = schema["properties"].as_object();
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect()
}

fn is_record(schema: &Value) -> bool {
    schema["properties"].is_object()
}

fn referred(schema: &Value) -> &str {
    text(&schema["$ref"]).rsplit('/').next().unwrap_or_default()
}

/// `PageOf_for_Contact` as `ContactPage`.
fn class_name(name: &str) -> String {
    name.strip_prefix("PageOf_for_").map_or_else(|| name.to_owned(), |item| format!("{item}Page"))
}

/// The words of an enumeration.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(Value::as_str).collect();
    }
    schema["oneOf"].as_array()?.iter().map(|one| one["const"].as_str()).collect()
}

fn literal(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let line = words.join(", ");
    if line.len() < 70 {
        return format!("Literal[{line}]");
    }
    format!("Literal[\n    {},\n]", words.join(",\n    "))
}

const KEYWORDS: [&str; 5] = ["from", "class", "import", "global", "in"];

/// The name in Python.
pub(super) fn attribute(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

/// The words of a doc comment for Python.
pub(super) fn plain(doc: &str) -> String {
    let mut out = String::new();
    let mut rest = doc;
    while let Some((before, link)) = rest.split_once("[`") {
        out.push_str(before);
        let Some((name, after)) = link.split_once("`]") else { break };
        let name = name.rsplit("::").next().unwrap_or(name);
        out.push_str(&name.to_lowercase().replace('_', " "));
        rest = after;
    }
    out.push_str(rest);
    for (there, here) in
        [("`null`", "None"), ("`None`", "None"), ("`true`", "True"), ("`false`", "False")]
    {
        out = out.replace(there, here);
    }
    out.replace(", null clears", ", None clears").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a field is, with its bounds in numbers.
pub(super) fn sentences(schema: &Value) -> String {
    let doc = text(&schema["description"]);
    let bound = ["maxLength", "maxItems", "maxProperties", "maximum"]
        .iter()
        .find_map(|bound| schema[*bound].as_u64());
    let Some((before, rest)) = doc.split_once("[`MAX_") else { return plain(doc) };
    let Some((_, after)) = rest.split_once("`]") else { return plain(doc) };
    match bound {
        Some(bound) => plain(&format!("{before}{bound}{after}")),
        None => plain(doc),
    }
}

/// `text` in lines, those after the first indented.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent + 3;
    for word in text.replace('\\', "\\\\").split_whitespace() {
        if column + word.len() + 4 > WIDTH {
            let _ = write!(out, "\n{}", " ".repeat(indent));
            column = indent;
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}
