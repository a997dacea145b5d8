//! What the values of a reply become in Python, from the reply's JSON Schema.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use serde_json::Value;

/// What a value becomes.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// What JSON would be: text, numbers, lists and dicts.
    Plain,
    Uuid,
    Time,
    /// A tuple.
    Array(Arc<Shape>),
    /// A dict with values of this shape.
    Map(Arc<Shape>),
    Record(Arc<RecordShape>),
}

/// A record: its class, and what its fields are.
#[derive(Debug)]
pub(crate) struct RecordShape {
    pub(crate) class: Py<PyType>,
    fields: OnceLock<HashMap<String, Field>>,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// The attribute; a keyword of Python has an underscore at its end.
    pub(crate) name: Py<PyString>,
    pub(crate) shape: Shape,
}

impl RecordShape {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get()?.get(name)
    }

    pub(crate) fn fields(&self) -> usize {
        self.fields.get().map_or(0, HashMap::len)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Py<PyString>> {
        self.fields.get().into_iter().flatten().map(|(_, field)| &field.name)
    }
}

const KEYWORDS: [&str; 5] = ["from", "class", "import", "global", "in"];

/// Reads shapes; a type is read once for a reply.
struct Reader<'a, 'py> {
    py: Python<'py>,
    types: &'a Value,
    classes: Bound<'py, PyAny>,
    known: HashMap<String, Option<Arc<RecordShape>>>,
}

/// The shape of what `described` (as the core's `reply_shape` gives it) describes.
pub(crate) fn read(py: Python<'_>, described: &Value) -> PyResult<Shape> {
    static CLASSES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let classes = CLASSES.import(py, "crm_core._surface", "CLASSES")?.clone();
    let types = &described["types"];
    Reader { py, types, classes, known: HashMap::new() }.shape(&described["schema"])
}

impl Reader<'_, '_> {
    fn shape(&mut self, schema: &Value) -> PyResult<Shape> {
        if let Some(name) = schema["$ref"].as_str() {
            return self.named(name.rsplit('/').next().unwrap_or(name));
        }
        let null = |one: &&Value| one["type"] != "null";
        if let Some(any) = schema["anyOf"].as_array()
            && let [one] = any.iter().filter(null).collect::<Vec<_>>().as_slice()
        {
            return self.shape(one);
        }
        match schema["format"].as_str() {
            Some("uuid") => return Ok(Shape::Uuid),
            Some("date-time") => return Ok(Shape::Time),
            Some(_) | None => {}
        }
        if schema["items"].is_object() {
            return Ok(Shape::Array(Arc::new(self.shape(&schema["items"])?)));
        }
        if schema["additionalProperties"].is_object() {
            return Ok(Shape::Map(Arc::new(self.shape(&schema["additionalProperties"])?)));
        }
        Ok(Shape::Plain)
    }

    fn named(&mut self, name: &str) -> PyResult<Shape> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone().map_or(Shape::Plain, Shape::Record));
        }
        let schema = &self.types[name];
        let (Some(properties), Ok(class)) =
            (schema["properties"].as_object(), self.classes.get_item(name))
        else {
            self.known.insert(name.to_owned(), None);
            return self.shape(schema);
        };
        let class = class.cast_into::<PyType>()?.unbind();
        let record = Arc::new(RecordShape { class, fields: OnceLock::new() });
        self.known.insert(name.to_owned(), Some(Arc::clone(&record)));
        let mut fields = HashMap::new();
        for (name, schema) in properties {
            let end = if KEYWORDS.contains(&&**name) { "_" } else { "" };
            let attribute = PyString::intern(self.py, &format!("{name}{end}")).unbind();
            fields.insert(name.clone(), Field { name: attribute, shape: self.shape(schema)? });
        }
        // Set once: the record was made above.
        let _ = record.fields.set(fields);
        Ok(Shape::Record(record))
    }
}
