//! The CRM inside a Python process: `crm_core._native`, which the Python sources beside it give a face.

mod arguments;
mod bridge;
mod crm;
mod errors;
mod events;
mod files;
mod guard;
mod logging;
mod mount;
mod operation;
mod ports;
mod record;
mod reply;
mod shape;
mod waiting;
mod webhook;

use pyo3::pymodule;

/// What `crm_core` is made of; its face is in Python.
#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    /// One interpreter for a process: another one would meet objects of the first.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        static OWNER: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let own = module.py().import("sys")?.getattr("modules")?.as_ptr() as usize;
        if *OWNER.get_or_init(|| own) == own {
            return Ok(());
        }
        let message = "crm_core works in one interpreter of a process and refuses subinterpreters";
        Err(pyo3::exceptions::PyImportError::new_err(message))
    }

    #[pymodule_export]
    use crate::bridge::{forked, shut_down};
    #[pymodule_export]
    use crate::crm::{Crm, Session, Worker, open};
    #[pymodule_export]
    use crate::events::{Batch, Group, Subscription, group, subscribe};
    #[pymodule_export]
    use crate::files::{Import, Pieces, RecordingFile, export_to, import_from, recording};
    #[pymodule_export]
    use crate::logging::log_to_python;
    #[pymodule_export]
    use crate::mount::{Incoming, Mount, Outgoing, Socket, mount};
    #[pymodule_export]
    use crate::operation::{Operation, idle, operation};
    #[pymodule_export]
    use crate::ports::Chunks;
    #[pymodule_export]
    use crate::record::{Held, Record};
    #[pymodule_export]
    use crate::waiting::Waiting;
    #[pymodule_export]
    use crate::webhook::webhook;

    #[cfg(any(debug_assertions, feature = "testing"))]
    #[pymodule_export]
    use crate::operation::{panic_now, read_in_rust, sleep_now};

    #[cfg(any(debug_assertions, feature = "testing"))]
    #[pymodule_export]
    use crate::ports::port_methods;

    #[cfg(feature = "conformance")]
    #[pymodule_export]
    use crate::ports::prove_telephony;
}
