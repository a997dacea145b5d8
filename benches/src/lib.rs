//! What the benches share: the data they read, the rivals they measure against, how figures are
//! shown.

pub mod names;
pub mod trigram;

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use crm_core::contacts::NewContact;
use crm_core::sample::Sample;

/// Made-up contacts, each with an address of its own: the few who share one are known by their phone.
#[derive(Debug)]
pub struct People {
    sample: Sample,
    addresses: HashSet<String>,
}

impl People {
    /// People of this seed.
    pub fn new(seed: u64) -> Self {
        People { sample: Sample::new(seed), addresses: HashSet::new() }
    }

    /// The people of these numbers.
    pub fn take(&mut self, numbers: Range<u64>) -> Vec<NewContact> {
        let one = |number| {
            let person = self.sample.person(number);
            let contact = NewContact::named(person.first_name, person.last_name)
                .phone(person.phone)
                .company(person.company);
            if self.addresses.insert(person.email.clone()) {
                contact.email(person.email)
            } else {
                contact
            }
        };
        numbers.map(one).collect()
    }
}

/// A line about the machine that the figures are from.
pub fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or("unknown").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "machine: {}, {cores} cores, {} memory, {}",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/version").split_whitespace().take(3).collect::<Vec<_>>().join(" "),
    )
}

/// The value below which `percent` of the sorted times lie.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(at).copied().unwrap_or_default()
}

/// A time for a table.
pub fn micros(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1000.0) }
}
