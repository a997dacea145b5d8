//! The short and pet names that people go by.

use std::collections::BTreeMap;

use crate::text::words;

/// Names that one other name may stand for, at most.
const MAX_NAMES: usize = 24;

/// Which given names stand for one another.
///
/// A host can replace the table; it is asked when a query is run, so nothing is stored.
///
/// ```
/// use crm_core::contacts::search::Nicknames;
/// assert!(Nicknames::common().of("bob").contains(&"robert".to_owned()));
/// let own = Nicknames::parse("# one group per line\nwilhelmina: mina billie\n");
/// assert_eq!(own.of("mina"), ["wilhelmina", "billie"]);
/// assert!(Nicknames::none().of("bob").is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nicknames {
    names: BTreeMap<String, Vec<String>>,
}

impl Nicknames {
    /// Common names of English, with some of Spanish, German, French, Italian, Russian and others.
    pub fn common() -> Self {
        Self::parse(include_str!("nicknames.txt"))
    }

    /// No nicknames.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads one group per line, `formal: short short`; `#` begins a comment. A name may stand in several
    /// groups; within a group every name stands for every other. At most 24 are kept for one name, the
    /// formal ones first.
    pub fn parse(text: &str) -> Self {
        let groups: Vec<Vec<String>> = text
            .lines()
            .map(|line| words(line.split('#').next().unwrap_or_default()))
            .filter(|group| group.len() > 1)
            .collect();
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for group in &groups {
            if let Some((formal, short)) = group.split_first() {
                for name in short.iter().filter(|name| *name != formal) {
                    add(&mut names, name, formal);
                    add(&mut names, formal, name);
                }
            }
        }
        for group in &groups {
            for name in group {
                for other in group.iter().filter(|other| *other != name) {
                    add(&mut names, name, other);
                }
            }
        }
        Nicknames { names }
    }

    /// The names that a folded name may stand for, the likeliest first, without itself.
    pub fn of(&self, name: &str) -> &[String] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }
}

fn add(names: &mut BTreeMap<String, Vec<String>>, name: &str, other: &str) {
    let others = names.entry(name.to_owned()).or_default();
    if others.len() < MAX_NAMES && !others.iter().any(|known| known == other) {
        others.push(other.to_owned());
    }
}
