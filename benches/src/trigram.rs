//! Plain trigram similarity, the common way of forgiving search: every name is compared.

use std::collections::HashMap;

use crm_core::text::words;

/// Names with their trigrams: each word padded with two spaces before and one after, as PostgreSQL's
/// pg_trgm takes them; similarity is Jaccard's: shared trigrams over all trigrams of both.
#[derive(Debug, Default)]
pub struct Trigrams {
    sizes: Vec<u32>,
    names: HashMap<[char; 3], Vec<u32>>,
}

impl Trigrams {
    /// Adds the next name.
    pub fn push(&mut self, name: &str) {
        let trigrams = trigrams(name);
        let position = self.sizes.len() as u32;
        self.sizes.push(trigrams.len() as u32);
        for trigram in trigrams {
            self.names.entry(trigram).or_default().push(position);
        }
    }

    /// The positions of all names with their similarity, best first, equals by position; names without
    /// anything in common are left out.
    pub fn search(&self, query: &str) -> Vec<(u32, f32)> {
        let trigrams = trigrams(query);
        let mut shared = vec![0_u32; self.sizes.len()];
        for trigram in &trigrams {
            for position in self.names.get(trigram).into_iter().flatten() {
                if let Some(count) = shared.get_mut(*position as usize) {
                    *count += 1;
                }
            }
        }
        let own = trigrams.len() as u32;
        let mut found: Vec<(u32, f32)> = (0..)
            .zip(shared.iter().zip(&self.sizes))
            .filter(|(_, (shared, _))| **shared > 0)
            .map(|(at, (shared, size))| (at, *shared as f32 / (own + size - shared) as f32))
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }
}

fn trigrams(name: &str) -> Vec<[char; 3]> {
    let mut all = Vec::new();
    for word in words(name) {
        let padded: Vec<char> = "  ".chars().chain(word.chars()).chain(" ".chars()).collect();
        all.extend(padded.windows(3).filter_map(|three| <[char; 3]>::try_from(three).ok()));
    }
    all.sort_unstable();
    all.dedup();
    all
}
