//! A database of PostgreSQL that only one test knows.

use std::hash::{BuildHasher, RandomState};
use std::process::Command;

/// Dropped with the test. The server is the one that `CRM_TEST_DATABASE_URL` names, as a superuser.
pub(crate) struct ServerDatabase {
    name: String,
}

impl ServerDatabase {
    pub(crate) fn create() -> Self {
        let name = format!("crm_test_cli_{:016x}", RandomState::new().hash_one(0));
        psql(&format!("create database {name} template template0"));
        ServerDatabase { name }
    }

    /// As a superuser.
    pub(crate) fn admin_url(&self) -> String {
        let maintenance = maintenance_url();
        let (server, _) = maintenance.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// As a role without a password.
    pub(crate) fn url_as(&self, role: &str) -> String {
        let admin = self.admin_url();
        let (_, place) = admin.rsplit_once('@').unwrap();
        format!("postgres://{role}@{place}")
    }
}

impl Drop for ServerDatabase {
    fn drop(&mut self) {
        psql(&format!("drop database {} with (force)", self.name));
    }
}

fn maintenance_url() -> String {
    std::env::var("CRM_TEST_DATABASE_URL").expect(
        "CRM_TEST_DATABASE_URL is not set: run the tests with `scripts/test`, or start servers for \
         them with `scripts/services`",
    )
}

fn psql(sql: &str) {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--command", sql, &maintenance_url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
