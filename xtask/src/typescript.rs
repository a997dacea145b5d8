//! The surface in TypeScript: types of what is given and answered, and a class for each namespace.

mod documented;
mod shapes;
mod types;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use self::documented::{Words, comment};
use self::types::Side;

const HEAD: &str = "\
// Made by `cargo xtask` from the operations of the core. Do not edit: change them there.

import { Namespace, operation, type Blocking, type Caller, type Options, type Shape } from \"./calling.js\";

/** JSON of any shape. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One page of a list. */
export interface Page<T> {
    /** The items, in the order of the list. */
    readonly items: readonly T[];
    /** Leads to the next page; `null` on the last. */
    readonly nextCursor: string | null;
}

// What is read of JSON before it has a type.
type Raw = any;

const date = (text: string): Date => new Date(text);
";

/// The types of one direction, by name.
type Types = Map<String, Value>;

/// All that is written down in `surface`, as a module.
pub(crate) fn module(surface: &Value) -> String {
    let none = Types::new();
    let types = |side: &str| surface.get(side).and_then(Value::as_object).unwrap_or(&none);
    let (requests, replies) = (types("requests"), types("replies"));
    let words = Words::of(surface);
    let answered = Side::answered(replies, &words);
    let given = Side::given(requests, &answered, &words);
    let mut out = HEAD.to_owned();
    names(&mut out, surface);
    out += &answered.declarations();
    out += &given.declarations();
    out += &shapes::revivers(&answered);
    out += &shapes::shapes(&given);
    for options in ["/opening/types", "/mounting/types"] {
        let Some(Value::Object(options)) = surface.pointer(options) else { continue };
        let options = Side::given(options, &answered, &words);
        out += &options.declarations();
        out += &shapes::shapes(&options).replace("\nconst ", "\nexport const ");
    }
    let namespaces = Namespaces { surface, given: &given, answered: &answered, words: &words };
    namespaces.write(&mut out);
    out
}

fn names(out: &mut String, surface: &Value) {
    let listed = |key: &str| -> Vec<String> {
        let names = list(surface, key).iter().filter_map(Value::as_str);
        names.map(|name| format!("    | {name:?}")).collect()
    };
    for (title, name, key) in [
        ("What went wrong, in a word.", "ErrorCode", "errors"),
        ("What happens.", "EventName", "events"),
    ] {
        let _ =
            write!(out, "\n/** {title} */\nexport type {name} =\n{};\n", listed(key).join("\n"));
    }
}

struct Namespaces<'s> {
    surface: &'s Value,
    given: &'s Side<'s>,
    answered: &'s Side<'s>,
    words: &'s Words,
}

impl Namespaces<'_> {
    fn write(&self, out: &mut String) {
        let mut seen = Vec::new();
        for operation in list(self.surface, "operations") {
            let namespace = part(operation, 0);
            if !seen.contains(&namespace) {
                seen.push(namespace);
            }
        }
        let streamed: BTreeSet<&str> =
            list(self.surface, "streams").iter().map(|stream| part(stream, 0)).collect();
        let (mut of_session, mut of_crm) = (Vec::new(), Vec::new());
        for namespace in seen {
            let class = self.class(out, namespace);
            let operations = self.operations(namespace);
            let in_session = operations.first().and_then(|operation| operation.get("in_session"));
            let list =
                if in_session == Some(&Value::Bool(true)) { &mut of_session } else { &mut of_crm };
            if !streamed.contains(namespace) {
                list.push((camel(namespace), class));
            }
        }
        let whose = "What a session has of operations alone.";
        holder(out, "SessionNamespaces", whose, &of_session);
        holder(out, "CrmNamespaces", "What the host has of operations alone.", &of_crm);
    }

    fn operations(&self, namespace: &str) -> Vec<&Value> {
        let all = list(self.surface, "operations").iter();
        all.filter(|operation| part(operation, 0) == namespace).collect()
    }

    /// The class of a namespace; where there are streams, what is written by hand extends it.
    fn class(&self, out: &mut String, namespace: &str) -> String {
        let class = pascal(namespace) + "Operations";
        let (mut constants, mut methods) = (String::new(), String::new());
        for operation in self.operations(namespace) {
            self.operation(operation, &mut constants, &mut methods);
        }
        let title = namespace.replace('_', " ");
        let _ = write!(
            out,
            "\n{constants}\n/** The operations of `{title}`. */\nexport class {class} extends Namespace {{{methods}}}\n"
        );
        class
    }

    fn operation(&self, operation: &Value, constants: &mut String, methods: &mut String) {
        let name = text(operation, "name");
        let constant = camel(&name.replace('.', "_"));
        let null = Value::Null;
        let reply = operation.get("reply").unwrap_or(&null);
        let revive = self.answered.reviver(reply).unwrap_or_else(|| "null".to_owned());
        let fields = operation.get("fields").and_then(|fields| fields.get("schema"));
        let choose = operation.pointer("/fields/choose") == Some(&Value::Bool(true));
        let shape = fields.and_then(|fields| self.given.shape(fields));
        let shape = shape.unwrap_or_else(|| "{}".to_owned());
        let nested: Vec<String> = list(operation, "arguments")
            .iter()
            .filter_map(|argument| {
                let shape = self.given.shape(argument.get("schema")?)?;
                Some(format!("{}: {shape}", text(argument, "name")))
            })
            .collect();
        let nested = if nested.is_empty() {
            String::new()
        } else {
            format!(", {{ {} }}", nested.join(", "))
        };

        let mut parameters = Vec::new();
        let (mut required, mut passed, mut optional) = (Vec::new(), Vec::new(), Vec::new());
        for argument in list(operation, "arguments") {
            let name = text(argument, "name");
            let own = camel(name);
            let schema = argument.get("schema").unwrap_or(&null);
            let ty = self.given.ty(schema, 1);
            let key = if own == name { name.to_owned() } else { format!("{name}: {own}") };
            if argument.get("required") == Some(&Value::Bool(true)) {
                parameters.push(format!("{own}: {ty}"));
                required.push(key);
            } else {
                let value = format!("options?.{own}");
                passed.push(format!("{name}: {value}"));
                optional.push(format!("{own}?: {ty} | undefined"));
            }
        }
        required.extend(passed);
        let mut given = "undefined";
        if let Some(fields) = fields {
            let ty = self.given.ty(fields, 1);
            given = match (choose, part(operation, 1).starts_with("update")) {
                (true, _) => "filter",
                (false, true) => "changes",
                (false, false) => "fields",
            };
            let mark = if choose && !self.given.has_required(fields) { "?" } else { "" };
            parameters.push(format!("{given}{mark}: {ty}"));
        }
        let options = if optional.is_empty() {
            "Options".to_owned()
        } else {
            format!("Options & {{ {} }}", optional.join("; "))
        };
        parameters.push(format!("options?: {options}"));
        let parameters = parameters.join(", ");
        let object = if required.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", required.join(", "))
        };
        let reply_ty = match self.answered.ty(reply, 1) {
            nothing if nothing == "null" => "void".to_owned(),
            ty => ty,
        };
        let method = camel(part(operation, 1));
        let doc = comment(&self.words.plain(text(operation, "doc"), &null), 1);
        let _ = writeln!(
            constants,
            "const {constant} = operation<{reply_ty}>({name:?}, {choose}, {revive}, {shape}{nested});"
        );
        let _ = write!(
            methods,
            "\n{doc}    {method}({parameters}): Promise<{reply_ty}> {{\n        \
             return this.call({constant}, {object}, {given}, options);\n    }}\n"
        );
        if let Some(item) = self.answered.item_of_page(reply) {
            let method = if method == "list" {
                "iterate".to_owned()
            } else {
                format!("iterate{}", pascal(part(operation, 1)))
            };
            let _ = write!(
                methods,
                "\n    /** All of `{own}`, one await for each page. */\n    \
                 {method}({parameters}): AsyncIterableIterator<{item}> {{\n        \
                 return this.pages({constant}, {object}, {given}, options);\n    }}\n",
                own = camel(part(operation, 1)),
            );
        }
    }
}

/// A class whose getters make its namespaces when they are first asked for.
fn holder(out: &mut String, name: &str, doc: &str, namespaces: &[(String, String)]) {
    let _ = write!(
        out,
        "\n/** {doc} */\nexport class {name} {{\n    protected readonly caller: Caller;\n"
    );
    for (namespace, class) in namespaces {
        let _ = writeln!(out, "    #{namespace}: {class} | undefined;");
    }
    let _ = write!(
        out,
        "\n    /** @internal */\n    constructor(caller: Caller) {{\n        this.caller = caller;\n    }}\n"
    );
    for (namespace, class) in namespaces {
        let _ = write!(
            out,
            "\n    /** The operations of `{namespace}`. */\n    get {namespace}(): {class} {{\n        \
             return (this.#{namespace} ??= new {class}(this.caller));\n    }}\n"
        );
    }
    *out += "}\n";
    let blocking = name.replace("Namespaces", "Blocking");
    let _ = write!(
        out,
        "\n/** {doc} Each waits on the caller's thread. */\nexport interface {blocking} {{\n"
    );
    for (namespace, class) in namespaces {
        let _ = writeln!(
            out,
            "    /** The operations of `{namespace}`. */\n    readonly {namespace}: Blocking<{class}>;"
        );
    }
    *out += "}\n";
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The namespace (0) or the verb (1) of what has a name.
fn part(named: &Value, at: usize) -> &str {
    text(named, "name").split('.').nth(at).unwrap_or_default()
}

/// `first_name` as `firstName`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capital(part))
}

fn pascal(name: &str) -> String {
    name.split('_').map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}
