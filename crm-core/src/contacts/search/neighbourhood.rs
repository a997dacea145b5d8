//! Finding words within two edits by equality alone.
//!
//! Two words within *n* edits become equal when at most *n* letters are deleted from each (W. Garbe,
//! Symmetric Delete spelling correction, 2012). A store keeps the hashes of what remains of each word
//! of its vocabulary; a misspelt word is looked up by its own. Only the start of a word is taken, which
//! keeps the number of rows small and loses nothing: edits further on leave the start alike.

/// Letters of a word's start that take part.
const START: usize = 7;

/// The stable hashes of what remains of `word` when letters of its first seven are deleted: two at
/// most, one for words of two and three letters, none for a single letter.
///
/// Sorted, each once; at most 29. Two words of four letters or more within two edits (insertion,
/// deletion, substitution, transposition of neighbours) share one, as do two of two or more within
/// one edit.
///
/// Stores keep these numbers. Another hash or another rule needs a re-index of every tenant.
///
/// ```
/// use crm_core::contacts::search::neighbourhood;
/// let smith = neighbourhood("smith");
/// assert!(neighbourhood("simth").iter().any(|hash| smith.contains(hash)));
/// assert!(!neighbourhood("jones").iter().any(|hash| smith.contains(hash)));
/// ```
pub fn neighbourhood(word: &str) -> Vec<u32> {
    within(word, 2)
}

/// As [`neighbourhood`], of at most `most` deletions.
pub(super) fn within(word: &str, most: usize) -> Vec<u32> {
    let start: Vec<char> = word.chars().take(START).collect();
    let deletions = match start.len() {
        0 => return Vec::new(),
        1 => 0,
        2 | 3 => 1,
        _ => 2,
    }
    .min(most);
    let mut hashes = vec![hash(&start, None, None)];
    if deletions > 0 {
        for first in 0..start.len() {
            hashes.push(hash(&start, Some(first), None));
            if deletions > 1 {
                for second in first + 1..start.len() {
                    hashes.push(hash(&start, Some(first), Some(second)));
                }
            }
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// FNV-1a (draft-eastlake-fnv) of the UTF-8 of the letters left, 32 bits.
fn hash(letters: &[char], first: Option<usize>, second: Option<usize>) -> u32 {
    let mut hash: u32 = 0x811c_9dc5;
    for (at, letter) in letters.iter().enumerate() {
        if Some(at) == first || Some(at) == second {
            continue;
        }
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}
