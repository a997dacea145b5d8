//! How names and dates are turned between JSON and TypeScript.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::types::Side;
use super::{camel, list, text};

/// The functions that make answers of what was read.
pub(super) fn revivers(side: &Side<'_>) -> String {
    let pages = side.types.iter().map(|(name, schema)| (name.as_str(), schema));
    pages.fold(String::new(), |mut out, (name, schema)| {
        if side.changes(schema) {
            let variants = side.variants(schema);
            let made = side.object(schema, "v", name);
            if !variants.is_empty() {
                out += &side.of_variants(name, variants);
            }
            let _ = write!(
                out,
                "\nexport const {} = (v: Raw): {} => ({made});\n",
                function(name),
                side.name_of(name)
            );
        }
        out
    })
}

/// The tables by which names that were given are written.
pub(super) fn shapes(side: &Side<'_>) -> String {
    // What a table names stands before it.
    let mut written = BTreeSet::new();
    let mut out = String::new();
    for (name, schema) in side.types {
        side.table(name, schema, &mut written, &mut out);
    }
    out
}

fn function(name: &str) -> String {
    format!("to{}", name.replace("PageOf_for_", "PageOf"))
}

fn constant(name: &str) -> String {
    format!("of{name}")
}

impl Side<'_> {
    /// Whether a value is another one in TypeScript than in JSON.
    fn changes(&self, schema: &Value) -> bool {
        let (_, schema) = self.resolve(schema);
        let inner = |key| list(schema, key).iter().any(|one| self.changes(one));
        let properties = schema.get("properties").and_then(Value::as_object);
        let renamed = |all: &Map<String, Value>| {
            all.iter().any(|(key, value)| camel(key) != *key || self.changes(value))
        };
        text(schema, "format") == "date-time"
            || inner("anyOf")
            || inner("oneOf")
            || schema.get("items").is_some_and(|items| self.changes(items))
            || properties.is_some_and(renamed)
    }

    /// The function for an operation's reply.
    pub(super) fn reviver(&self, reply: &Value) -> Option<String> {
        if !self.changes(reply) {
            return None;
        }
        match self.resolve(reply).0 {
            Some(name) => Some(function(name)),
            None => Some(format!("(v) => {}", self.value(reply, "v"))),
        }
    }

    /// The expression that turns `v`.
    fn value(&self, schema: &Value, v: &str) -> String {
        let (name, inner) = self.resolve(schema);
        if !self.changes(schema) {
            return v.to_owned();
        }
        if let Some(name) = name {
            return format!("{}({v})", function(name));
        }
        let alternatives = list(inner, "anyOf");
        if let Some(one) = alternatives.iter().find(|one| self.changes(one)) {
            return format!("{v} === null ? null : {}", self.value(one, v));
        }
        let nullable = list(inner, "type").iter().any(|name| name == "null");
        let or_null = if nullable { format!("{v} === null ? null : ") } else { String::new() };
        if let Some(items) = inner.get("items") {
            let each = match self.resolve(items).0 {
                Some(name) => function(name),
                None => format!("(v: Raw) => ({})", self.value(items, "v")),
            };
            return format!("{or_null}{v}.map({each})");
        }
        if inner.get("properties").is_some() {
            return or_null + &self.object(inner, v, "");
        }
        format!("{or_null}date({v})")
    }

    fn object(&self, schema: &Value, v: &str, name: &str) -> String {
        let varying = self.variants(schema);
        let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let fields = fields.map(|(key, schema)| {
            let at = format!("{v}.{key}");
            let path = format!("/properties/{key}");
            let varies =
                varying.iter().any(|one| one.pointer(&path).is_some_and(|own| self.changes(own)));
            let value = if varies {
                format!("{}{}(v)", function(name), super::capital(key))
            } else {
                self.value(schema, &at)
            };
            format!("{}: {value}", camel(key))
        });
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
    }

    /// A function for each field that is another one in each kind.
    fn of_variants(&self, name: &str, variants: &[Value]) -> String {
        let mut out = String::new();
        let kind = |variant: &Value| Some(variant.pointer("/properties/kind/const")?.to_string());
        let keys: BTreeSet<&String> = variants
            .iter()
            .filter_map(|variant| variant.get("properties").and_then(Value::as_object))
            .flatten()
            .filter(|(_, schema)| self.changes(schema))
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            let path = format!("/properties/{key}");
            let cases: String = variants
                .iter()
                .filter_map(|variant| {
                    let own = variant.pointer(&path).filter(|own| self.changes(own))?;
                    let value = self.value(own, &format!("v.{key}"));
                    Some(format!("        case {}:\n            return {value};\n", kind(variant)?))
                })
                .collect();
            let _ = write!(
                out,
                "\nfunction {}{}(v: Raw): Raw {{\n    switch (v.kind) {{\n{cases}        \
                 default:\n            return v.{key};\n    }}\n}}\n",
                function(name),
                super::capital(key)
            );
        }
        out
    }

    /// The table for a value, by name or written out; none where its names are kept.
    pub(super) fn shape(&self, schema: &Value) -> Option<String> {
        match self.resolve(schema) {
            (Some(name), schema) => self.has_fields(schema).then(|| constant(name)),
            (None, schema) => {
                if let Some(items) = schema.get("items") {
                    return self.shape(items);
                }
                if let Some(one) = list(schema, "anyOf").iter().find_map(|one| self.shape(one)) {
                    return Some(one);
                }
                let fields = self.fields(schema);
                self.has_fields(schema).then(|| written(&fields))
            }
        }
    }

    fn has_fields(&self, schema: &Value) -> bool {
        schema.get("properties").is_some()
    }

    /// The rows of a table: a field can be in several kinds, and is the same in all.
    fn fields(&self, schema: &Value) -> Vec<String> {
        let mut rows: Vec<(String, Option<String>)> = Vec::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, own) in properties.into_iter().flatten() {
            let path = format!("/properties/{key}");
            let varying: Vec<&Value> =
                self.variants(schema).iter().filter_map(|one| one.pointer(&path)).collect();
            let shape = if varying.is_empty() { self.shape(own) } else { self.merged(&varying) };
            rows.push((key.clone(), shape));
        }
        rows.into_iter().map(|(key, shape)| row(&key, shape.as_deref())).collect()
    }

    fn merged(&self, varying: &[&Value]) -> Option<String> {
        let mut rows: Vec<String> = Vec::new();
        for one in varying {
            let objects = list(one, "anyOf").iter().chain([*one]);
            for object in objects.filter(|object| self.has_fields(object)) {
                for row in self.fields(object) {
                    if !rows.contains(&row) {
                        rows.push(row);
                    }
                }
            }
        }
        (!rows.is_empty()).then(|| written(&rows))
    }

    fn table<'s>(
        &'s self,
        name: &'s str,
        schema: &'s Value,
        written_before: &mut BTreeSet<&'s str>,
        out: &mut String,
    ) {
        if !self.has_fields(schema) || !written_before.insert(name) {
            return;
        }
        let mut named = Vec::new();
        references(schema, &mut named);
        for other in named {
            if let Some((other, schema)) = self.types.get_key_value(other) {
                self.table(other, schema, written_before, out);
            }
        }
        let _ =
            write!(out, "\nconst {}: Shape = {};\n", constant(name), written(&self.fields(schema)));
    }
}

fn references<'v>(schema: &'v Value, named: &mut Vec<&'v str>) {
    match schema {
        Value::Object(object) => {
            let path = object.get("$ref").and_then(Value::as_str);
            named.extend(path.and_then(|path| path.strip_prefix("#/$defs/")));
            object.values().for_each(|inner| references(inner, named));
        }
        Value::Array(array) => array.iter().for_each(|inner| references(inner, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn row(key: &str, shape: Option<&str>) -> String {
    match shape {
        Some(shape) => format!("{}: [{key:?}, {shape}]", camel(key)),
        None => format!("{}: [{key:?}]", camel(key)),
    }
}

fn written(rows: &[String]) -> String {
    format!("{{ {} }}", rows.join(", "))
}
