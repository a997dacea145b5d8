//! People whose records were misspelt on purpose, with the pairs that belong together.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// A record of the data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The person, whom several records can describe: `rec-12` of `rec-12-dup-0`.
    pub person: String,
    /// Given name; may be empty.
    pub first: String,
    /// Family name; may be empty.
    pub last: String,
}

impl Record {
    /// First and last name.
    pub fn name(&self) -> String {
        format!("{} {}", self.first, self.last).trim().to_owned()
    }
}

/// Febrl's dataset3: records, and pairs of records (by position) that describe one person.
#[derive(Debug, Clone)]
pub struct Misspelt {
    /// Every record.
    pub records: Vec<Record>,
    /// Positions of two records of one person.
    pub pairs: Vec<(usize, usize)>,
}

impl Misspelt {
    /// Reads `dataset3.csv` and `dataset3_truth_pairs.csv` of a folder.
    ///
    /// # Errors
    ///
    /// Files that cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut records = Vec::new();
        let mut positions = HashMap::new();
        for line in fs::read_to_string(folder.join("dataset3.csv"))?.lines().skip(1) {
            let mut cells = line.split(',').map(str::trim);
            let (Some(id), Some(first), Some(last)) = (cells.next(), cells.next(), cells.next())
            else {
                continue;
            };
            positions.insert(id.to_owned(), records.len());
            records.push(Record {
                person: id.splitn(3, '-').take(2).collect::<Vec<_>>().join("-"),
                first: first.to_owned(),
                last: last.to_owned(),
            });
        }
        let pairs = fs::read_to_string(folder.join("dataset3_truth_pairs.csv"))?
            .lines()
            .skip(1)
            .filter_map(|line| {
                let (a, b) = line.split_once(',')?;
                Some((*positions.get(a.trim())?, *positions.get(b.trim())?))
            })
            .collect();
        Ok(Misspelt { records, pairs })
    }
}
