//! JSON Schema as types of TypeScript.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::documented::{Words, comment};
use super::{Types, camel, list, text};

/// The types of what is given, or of what is answered.
pub(super) struct Side<'s> {
    pub(super) types: &'s Types,
    pub(super) words: &'s Words,
    /// Whether these are answers: they cannot be changed, and hold dates.
    pub(super) answered: bool,
    /// The same name stands for another type in answers.
    renamed: Vec<&'s str>,
    /// The same name stands for the same type in answers.
    shared: Vec<&'s str>,
}

const PAGE: &str = "PageOf_for_";

impl<'s> Side<'s> {
    pub(super) fn answered(types: &'s Types, words: &'s Words) -> Self {
        Side { types, words, answered: true, renamed: Vec::new(), shared: Vec::new() }
    }

    pub(super) fn given(types: &'s Types, answered: &Side<'s>, words: &'s Words) -> Self {
        let both =
            types.iter().filter_map(|(name, own)| Some((name, own, answered.types.get(name)?)));
        let (shared, renamed): (Vec<_>, Vec<_>) = both.partition(|(_, own, other)| own == other);
        let names =
            |of: Vec<(&'s String, _, _)>| of.into_iter().map(|(name, ..)| name.as_str()).collect();
        Side { types, words, answered: false, renamed: names(renamed), shared: names(shared) }
    }

    pub(super) fn name_of(&self, name: &str) -> String {
        if let Some(item) = name.strip_prefix(PAGE) {
            return format!("Page<{item}>");
        }
        if self.renamed.contains(&name) { format!("{name}Input") } else { name.to_owned() }
    }

    /// The schema that is meant, and its name where it has one.
    pub(super) fn resolve<'v>(&self, schema: &'v Value) -> (Option<&'v str>, &'v Value)
    where
        's: 'v,
    {
        let named = schema.get("$ref").and_then(Value::as_str);
        let named = named.and_then(|path| path.strip_prefix("#/$defs/"));
        match named.and_then(|name| Some((name, self.types.get(name)?))) {
            Some((name, schema)) => (Some(name), schema),
            None => (None, schema),
        }
    }

    pub(super) fn declared(&self) -> impl Iterator<Item = (&'s str, &'s Value)> {
        let types = self.types.iter().map(|(name, schema)| (name.as_str(), schema));
        types.filter(|(name, _)| !name.starts_with(PAGE) && !self.shared.contains(name))
    }

    pub(super) fn declarations(&self) -> String {
        self.declared().fold(String::new(), |mut out, (name, schema)| {
            let doc = comment(&self.words.plain(text(schema, "description"), schema), 0);
            let name = self.name_of(name);
            let variants = self.variants(schema);
            let _ = match (schema.get("properties").and_then(Value::as_object), variants) {
                (Some(properties), []) => {
                    let body = self.members(properties, schema, 0);
                    write!(out, "\n{doc}export interface {name} {body}\n")
                }
                (Some(properties), variants) => {
                    let varying = properties_of(variants);
                    let common = properties.iter().filter(|(key, _)| !varying.contains(&key.as_str()));
                    let common = common.map(|(key, value)| (key.clone(), value.clone())).collect();
                    let common = self.members(&common, schema, 0);
                    let each: String = variants
                        .iter()
                        .filter_map(|variant| variant.get("properties").and_then(Value::as_object))
                        .map(|own| format!("\n    | {}", self.members(own, schema, 1)))
                        .collect();
                    write!(
                        out,
                        "\n{doc}export type {name} = {name}Fields & ({each}\n);\n\n\
                         /** What all of `{name}` have. */\nexport interface {name}Fields {common}\n"
                    )
                }
                (None, _) => write!(out, "\n{doc}export type {name} = {};\n", self.ty(schema, 0)),
            };
            out
        })
    }

    /// Objects of several kinds, each with fields of its own.
    pub(super) fn variants<'v>(&self, schema: &'v Value) -> &'v [Value] {
        let variants = list(schema, "oneOf");
        if schema.get("properties").is_some() { variants } else { &[] }
    }

    fn members(&self, properties: &Map<String, Value>, owner: &Value, depth: usize) -> String {
        if properties.is_empty() {
            return "{}".to_owned();
        }
        let indent = "    ".repeat(depth);
        let required = list(owner, "required");
        let mut out = "{\n".to_owned();
        for (key, schema) in properties {
            let doc = self.words.plain(text(schema, "description"), schema);
            let must = required.iter().any(|name| name.as_str() == Some(key));
            let ty = self.ty(schema, depth + 1);
            let own = camel(key);
            let (readonly, mark, absent) = match (self.answered, must) {
                (true, true) => ("readonly ", "", ""),
                (true, false) => ("readonly ", "?", ""),
                (false, true) => ("", "", ""),
                (false, false) => ("", "?", " | undefined"),
            };
            out += &comment(&doc, depth + 1);
            let _ = writeln!(out, "{indent}    {readonly}{own}{mark}: {ty}{absent};");
        }
        out + &indent + "}"
    }

    /// The type of a value, written `depth` levels in.
    pub(super) fn ty(&self, schema: &Value, depth: usize) -> String {
        if let (Some(name), _) = self.resolve(schema) {
            return self.name_of(name);
        }
        if let Some(one) = schema.get("const") {
            return one.to_string();
        }
        for key in ["anyOf", "oneOf"] {
            let several = list(schema, key);
            if !several.is_empty() && schema.get("properties").is_none() {
                let each: Vec<String> = several.iter().map(|one| self.ty(one, depth)).collect();
                return union(each, depth);
            }
        }
        let values = list(schema, "enum");
        if !values.is_empty() {
            return union(values.iter().map(Value::to_string).collect(), depth);
        }
        match schema.get("type") {
            Some(Value::String(one)) => self.one(one, schema, depth),
            Some(Value::Array(several)) => {
                let names = several.iter().filter_map(Value::as_str);
                union(names.map(|one| self.one(one, schema, depth)).collect(), depth)
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                "Json".to_owned()
            }
        }
    }

    fn one(&self, name: &str, schema: &Value, depth: usize) -> String {
        match name {
            "string" if text(schema, "format") == "date-time" && self.answered => "Date".to_owned(),
            "string" if text(schema, "format") == "date-time" => "Date | string".to_owned(),
            "integer" => "number".to_owned(),
            "array" => {
                let item = schema
                    .get("items")
                    .map_or_else(|| "Json".to_owned(), |item| self.ty(item, depth));
                let item = if item.contains('|') { format!("({item})") } else { item };
                format!("readonly {item}[]")
            }
            "object" => match (schema.get("properties"), schema.get("additionalProperties")) {
                (Some(Value::Object(properties)), _) => self.members(properties, schema, depth),
                (_, Some(of @ Value::Object(_))) => {
                    format!("{{ readonly [key: string]: {} }}", self.ty(of, depth))
                }
                (_, Some(Value::Bool(false))) => "{ readonly [key: string]: never }".to_owned(),
                _ => "{ readonly [key: string]: Json }".to_owned(),
            },
            simple => simple.to_owned(),
        }
    }

    pub(super) fn has_required(&self, schema: &Value) -> bool {
        !list(self.resolve(schema).1, "required").is_empty()
    }

    /// The type of the items, where `reply` is a page.
    pub(super) fn item_of_page(&self, reply: &Value) -> Option<String> {
        let (_, page) = self.resolve(reply);
        page.pointer("/properties/next_cursor")?;
        Some(self.ty(page.pointer("/properties/items/items")?, 1))
    }
}

fn properties_of(variants: &[Value]) -> Vec<&str> {
    let all =
        variants.iter().filter_map(|variant| variant.get("properties").and_then(Value::as_object));
    all.flat_map(|properties| properties.keys().map(String::as_str)).collect()
}

fn union(each: Vec<String>, depth: usize) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for one in each {
        // A union of a union is one.
        let parts: Vec<&str> = match one.strip_prefix('\n') {
            Some(_) => one.lines().map(|line| line.trim_start_matches([' ', '|'])).collect(),
            None => vec![&one],
        };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if !distinct.iter().any(|known| known == part) {
                distinct.push(part.to_owned());
            }
        }
    }
    let short = distinct.join(" | ");
    if short.len() < 80 || short.contains('{') {
        return short;
    }
    let indent = "    ".repeat(depth + 1);
    distinct.iter().map(|one| format!("\n{indent}| {one}")).collect()
}
