//! The server store of crm-core: PostgreSQL 15 and later, with isolation that the database enforces.
