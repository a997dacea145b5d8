//! The CRM inside a Node process.
