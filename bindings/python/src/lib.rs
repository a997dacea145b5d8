//! The CRM inside a Python process.
