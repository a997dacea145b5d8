//! The Python types and namespaces, `crm_core/_surface.py`.

mod types;

use std::fmt::Write as _;

use serde_json::Value;

use self::types::{Types, attribute, sentences, wrapped};

const HEAD: &str = r#"# Made by `cargo xtask` from the core's operations; change those.
"""The CRM's types and namespaces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from ._native import operation as _operation
from ._namespaces import (
    AsyncCallsBase,
    AsyncContactsBase,
    AsyncNamespace,
    CallsBase,
    ContactsBase,
    Namespace,
    all_pages,
    all_pages_async,
)
from ._records import Page, Record
from ._unset import UNSET, Unset

"#;

/// The text of `_surface.py`.
pub(crate) fn surface(surface: &Value) -> String {
    let types = Types::new(surface);
    let operations: Vec<Operation<'_>> =
        list(&surface["operations"]).map(|described| Operation::new(described, &types)).collect();
    let mut out = String::from(HEAD);
    types.write(&mut out);
    out.push_str("\n\nCLASSES: dict[str, type[Record]] = {\n");
    for (name, class) in types.classes() {
        let _ = writeln!(out, "    \"{name}\": {class},");
    }
    out.push_str("}\n\n");
    for operation in &operations {
        let patch = if operation.patch { ", patch=True" } else { "" };
        let _ =
            writeln!(out, "{} = _operation(\"{}\"{patch})", operation.constant(), operation.name);
    }
    let mut namespaces: Vec<Space<'_>> = Vec::new();
    for operation in &operations {
        if !namespaces.iter().any(|space| space.name == operation.namespace) {
            namespaces.push(Space::new(operation.namespace, &types));
        }
    }
    for namespace in &namespaces {
        for is_async in [false, true] {
            let of = operations.iter().filter(|operation| operation.namespace == namespace.name);
            class(&mut out, namespace, of, is_async);
        }
    }
    for (suffix, in_session) in [("Session", true), ("Crm", false)] {
        let of: Vec<&Space<'_>> = namespaces
            .iter()
            .filter(|namespace| {
                operations
                    .iter()
                    .any(|one| one.namespace == namespace.name && one.in_session == in_session)
            })
            .collect();
        owners(&mut out, suffix, &of);
    }
    out
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

struct Parameter {
    /// In the core.
    name: String,
    kind: String,
    doc: String,
    required: bool,
    default: &'static str,
}

struct Operation<'a> {
    name: &'a str,
    namespace: &'a str,
    verb: &'a str,
    doc: String,
    in_session: bool,
    patch: bool,
    parameters: Vec<Parameter>,
    reply: String,
    /// What a page of the reply holds.
    item: Option<String>,
}

impl<'a> Operation<'a> {
    fn new(described: &'a Value, types: &Types<'a>) -> Self {
        let name = text(&described["name"]);
        let (namespace, verb) = name.split_once('.').unwrap_or((name, name));
        let fields = described.pointer("/fields/schema").unwrap_or(&Value::Null);
        let body = types.request(fields);
        let patch = text(&fields["$ref"]).ends_with("Patch");
        let mut parameters: Vec<Parameter> = list(&described["arguments"])
            .map(|argument| {
                let required = argument["required"] == true;
                let own = match text(&argument["name"]) {
                    "version" => "The version that it has to be at, where that matters.",
                    "id" => "Which one.",
                    _ => "",
                };
                Parameter {
                    name: text(&argument["name"]).to_owned(),
                    kind: types.input(&argument["schema"], !required),
                    doc: own.to_owned(),
                    required,
                    default: "None",
                }
            })
            .collect();
        let properties = body["properties"].as_object();
        for (name, schema) in properties.into_iter().flatten() {
            let required = list(&body["required"]).any(|one| one == name);
            let kind = types.input(schema, !required && !patch);
            let unset = if patch { " | Unset" } else { "" };
            parameters.push(Parameter {
                name: name.clone(),
                kind: format!("{kind}{unset}"),
                doc: sentences(schema),
                required,
                default: if patch { "UNSET" } else { "None" },
            });
        }
        parameters.sort_by_key(|parameter| !parameter.required);
        let reply = &described["reply"];
        let pages = properties.is_some_and(|all| all.contains_key("cursor"));
        Operation {
            name,
            namespace,
            verb,
            doc: types::plain(text(&described["doc"])),
            in_session: described["in_session"] == true,
            patch,
            parameters,
            reply: types.output(reply),
            item: if pages { types.item_of(reply) } else { None },
        }
    }

    fn constant(&self) -> String {
        format!("_{}", self.name.replace('.', "_").to_uppercase())
    }

    fn signature(&self, without_cursor: bool) -> String {
        let mut all = String::from("self");
        let mut starred = false;
        for parameter in &self.parameters {
            if without_cursor && parameter.name == "cursor" {
                continue;
            }
            let (name, kind) = (attribute(&parameter.name), &parameter.kind);
            if parameter.required {
                let _ = write!(all, ",\n        {name}: {kind}");
            } else {
                if !starred {
                    all.push_str(",\n        *");
                    starred = true;
                }
                let _ = write!(all, ",\n        {name}: {kind} = {}", parameter.default);
            }
        }
        if self.parameters.is_empty() { all } else { format!("\n        {all},\n    ") }
    }

    fn given(&self, without_cursor: bool) -> String {
        let pairs: Vec<String> = self
            .parameters
            .iter()
            .filter(|parameter| !(without_cursor && parameter.name == "cursor"))
            .map(|parameter| format!("\"{}\": {}", parameter.name, attribute(&parameter.name)))
            .collect();
        let line = format!("{{{}}}", pairs.join(", "));
        if line.len() < 60 {
            return line;
        }
        format!("{{\n            {},\n        }}", pairs.join(",\n            "))
    }

    fn documented(&self, doc: &str, without_cursor: bool) -> String {
        let mut out = String::new();
        let described: Vec<&Parameter> = self
            .parameters
            .iter()
            .filter(|one| !(one.doc.is_empty() || without_cursor && one.name == "cursor"))
            .collect();
        let _ = write!(out, "        \"\"\"{}", wrapped(doc, 8));
        if !described.is_empty() {
            out.push_str("\n\n        Args:");
            for parameter in described {
                let line = format!("{}: {}", attribute(&parameter.name), parameter.doc);
                let _ = write!(out, "\n            {}", wrapped(&line, 16));
            }
            out.push_str("\n        ");
        }
        out.push_str("\"\"\"\n");
        out
    }
}

/// A namespace, and its class.
struct Space<'a> {
    name: &'a str,
    class: String,
}

impl<'a> Space<'a> {
    /// A class that a reply has already is named otherwise.
    fn new(name: &'a str, types: &Types<'_>) -> Self {
        let class = camel(name);
        let taken = types.classes().any(|(_, taken)| taken == class);
        Space { name, class: if taken { format!("{class}Namespace") } else { class } }
    }
}

/// `contacts` as `Contacts`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default()
        })
        .collect()
}

/// Namespaces that have more than operations, written by hand.
const WITH_STREAMS: [&str; 2] = ["contacts", "calls"];

fn class<'a>(
    out: &mut String,
    space: &Space<'_>,
    operations: impl Iterator<Item = &'a Operation<'a>>,
    is_async: bool,
) {
    let Space { name: namespace, class: name } = space;
    let (prefix, def, wait) =
        if is_async { ("Async", "async def", "await ") } else { ("", "def", "") };
    let call = if is_async { "_start" } else { "_call" };
    let base = if WITH_STREAMS.contains(namespace) {
        format!("{prefix}{name}Base")
    } else {
        format!("{prefix}Namespace")
    };
    let _ = write!(out, "\n\nclass {prefix}{name}({base}):\n");
    let words = namespace.replace('_', " ");
    let _ = writeln!(out, "    \"\"\"The operations on {words}.\"\"\"");
    for operation in operations {
        let (signature, reply) = (operation.signature(false), &operation.reply);
        let verb = attribute(operation.verb);
        let _ = write!(out, "\n    {def} {verb}({signature}) -> {reply}:\n");
        out.push_str(&operation.documented(&operation.doc, false));
        let given = operation.given(false);
        let constant = operation.constant();
        if reply == "None" {
            let _ = writeln!(out, "        {wait}self.{call}({constant}, {given})");
        } else {
            let _ =
                writeln!(out, "        reply: {reply} = {wait}self.{call}({constant}, {given})");
            out.push_str("        return reply\n");
        }
        let Some(item) = &operation.item else { continue };
        let all = if verb == "list" { "iterate".to_owned() } else { format!("iterate_{verb}") };
        let signature = operation.signature(true);
        let (kind, pages) =
            if is_async { ("AsyncIterator", "all_pages_async") } else { ("Iterator", "all_pages") };
        let _ = write!(out, "\n    def {all}({signature}) -> {kind}[{item}]:\n");
        let doc = format!("The items of all pages of `{verb}`, with one call for each page.");
        out.push_str(&operation.documented(&doc, true));
        let given = operation.given(true);
        let _ = writeln!(out, "        return {pages}(self.{call}, {constant}, {given})");
    }
}

/// What a session and a Crm have their namespaces from.
fn owners(out: &mut String, suffix: &str, namespaces: &[&Space<'_>]) {
    for prefix in ["", "Async"] {
        let _ = write!(out, "\n\nclass {prefix}{suffix}Namespaces:\n");
        let _ = writeln!(out, "    \"\"\"The namespaces of {prefix}{suffix}.\"\"\"");
        for Space { name, class } in namespaces {
            let _ = write!(out, "\n    {name}: {prefix}{class}\n");
            let words = name.replace('_', " ");
            let _ = writeln!(out, "    \"\"\"The operations on {words}.\"\"\"");
        }
        let _ = write!(out, "\n    def _put_namespaces(self, native: Any) -> None:\n");
        for Space { name, class } in namespaces {
            let _ = writeln!(out, "        self.{name} = {prefix}{class}(native)");
        }
    }
}
