//! How well a contact answers a query, from 0 to 1.

use super::query::Token;
use super::terms::{ADDRESS, CODE, Field, Term, is_word};

/// What a nickname is worth.
const NICKNAME: f32 = 0.82;
/// From here on a term has enough letters in common with the token to be worth a look.
pub(super) const ALIKE: f32 = 0.2;
/// From here on a term is what the token asks for, if misspelt.
pub(super) const ACCEPTED: f32 = 0.5;
/// From here on it is so beyond doubt: the same, a nickname, a beginning, or one edit.
pub(super) const GOOD: f32 = 0.7;
/// From here on it is the word itself, a nickname, or nearly all of it.
pub(super) const SAME: f32 = 0.82;
/// What each word of the name that nobody asked for costs, and how many of them count.
const UNASKED: f32 = 0.03;
const MAX_UNASKED: u32 = 4;
/// What a name in another order than the contact's costs.
const SWAPPED: f32 = 0.005;
/// What typing two words as one, or one as two, costs.
pub(super) const JOINED: f32 = 0.01;
/// What reading an address as the words in it costs.
pub(super) const PARTED: f32 = 0.05;

/// Where a token is not met beyond doubt: how much the likeness of the names as a whole counts beside
/// that of their words. Measured: recall is best, and flat, between 0.4 and 0.6.
const WHOLE: f32 = 0.5;

/// A token, prepared for comparison.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) token: Token,
    pub(super) nicknames: Vec<String>,
    text: String,
    length: usize,
    letters: u32,
    /// At most 41, as a word has at most 40 letters.
    pairs: Vec<(char, char)>,
}

impl Wanted {
    pub(super) fn new(token: Token, nicknames: &[String]) -> Self {
        let text = match &token {
            Token::Word { text, .. } | Token::Code(text) | Token::Address(text) => text.clone(),
            Token::Phone(_) => String::new(),
        };
        Wanted {
            nicknames: nicknames.to_vec(),
            length: text.chars().count(),
            letters: letters(&text),
            pairs: match &token {
                Token::Word { text, .. } => pairs(text).collect(),
                Token::Code(_) | Token::Address(_) | Token::Phone(_) => Vec::new(),
            },
            text,
            token,
        }
    }

    /// Characters; a phone number or an address counts as long.
    pub(super) fn length(&self) -> usize {
        match self.token {
            Token::Word { .. } | Token::Code(_) => self.length,
            Token::Address(_) | Token::Phone(_) => crate::text::MAX_WORD,
        }
    }

    /// How much of the query this token is: long words say more than initials.
    fn weight(&self) -> f32 {
        match self.token {
            Token::Word { .. } | Token::Code(_) => 2.0 + self.length.min(8) as f32,
            Token::Address(_) | Token::Phone(_) => 10.0,
        }
    }

    /// How near a term comes, 0 to 1: the same > nickname, beginning > one edit > two edits > some letters
    /// in common.
    pub(super) fn similarity(&self, term: &str) -> f32 {
        self.meets(term).unwrap_or_else(|| self.resembles(term))
    }

    /// How near a term that could be meant comes; `None` for others.
    fn meets(&self, term: &str) -> Option<f32> {
        let value = match &self.token {
            Token::Word { ends, .. } => match term.strip_prefix(CODE) {
                Some(code) => self.beginning(code, *ends)?,
                None if !is_word(term) => return None,
                None => self.word(term, *ends)?,
            },
            Token::Code(code) => match term.strip_prefix(CODE) {
                Some(term) if term == code => 1.0,
                Some(term) => self.beginning(term, true)?,
                None if term == stem(code) => 0.75,
                None => return None,
            },
            Token::Address(_) => {
                let term = term.strip_prefix(ADDRESS)?;
                if term == self.text { 1.0 } else { self.beginning(term, true)? }
            }
            Token::Phone(phone) => {
                if phone.whole.as_deref() == Some(term) {
                    return Some(1.0);
                }
                let mut starts = phone.starts.iter().enumerate();
                let (at, start) = starts.find(|(_, start)| term.starts_with(start.as_str()))?;
                let part = start.len() as f32 / term.len().max(1) as f32;
                0.85 + 0.1 * part - 0.005 * at.min(9) as f32
            }
        };
        Some(value)
    }

    fn word(&self, term: &str, ends: bool) -> Option<f32> {
        if term == self.text {
            return Some(1.0);
        }
        if self.nicknames.iter().any(|name| name == term) {
            return Some(NICKNAME);
        }
        if let Some(value) = self.beginning(term, ends) {
            return Some(value);
        }
        let length = term.chars().count();
        let longest = length.max(self.length);
        let shortest = length.min(self.length);
        let most = match shortest {
            0 | 1 => 0,
            2 | 3 => 1,
            4..9 => 2,
            _ => 3,
        };
        // An edit changes at most two of the letters that occur.
        let apart = (letters(term) ^ self.letters).count_ones() as usize;
        if longest - shortest <= most && apart <= 2 * most {
            let edits = strsim::osa_distance(&self.text, term);
            let start = if self.text.chars().next() == term.chars().next() { 0.01 } else { 0.0 };
            let share = 1.0 / longest as f32;
            match edits {
                1 => return Some(0.79 - 0.25 * share + start),
                2 if most >= 2 => return Some(0.66 - 0.6 * share + start),
                3 if most >= 3 => return Some(0.52 - share + start),
                _ => {}
            }
        }
        None
    }

    /// What is left to a word that cannot be meant: the share of letter pairs in common (Dice's
    /// coefficient), at less than half.
    fn resembles(&self, term: &str) -> f32 {
        let (mut all, mut used) = (self.pairs.len(), 0_u64);
        for pair in pairs(term) {
            all += 1;
            let same = |(at, own): &(usize, &(char, char))| **own == pair && used >> at & 1 == 0;
            if let Some((at, _)) = self.pairs.iter().enumerate().find(same) {
                used |= 1 << at;
            }
        }
        0.9 * used.count_ones() as f32 / all.max(1) as f32
    }

    fn beginning(&self, term: &str, ends: bool) -> Option<f32> {
        if !term.starts_with(self.text.as_str()) {
            return None;
        }
        let part = self.length as f32 / term.chars().count().max(1) as f32;
        Some(if ends { 0.84 + 0.08 * part } else { 0.81 + 0.08 * part })
    }
}

/// The letters of a word with digits around it: `smith42` → `smith`.
pub(super) fn stem(code: &str) -> &str {
    code.trim_matches(char::is_numeric)
}

/// One bit for each letter of the Latin alphabet, the others share six.
fn letters(text: &str) -> u32 {
    text.chars().fold(0, |all, c| {
        let bit = match c {
            'a'..='z' => u32::from(c) - u32::from('a'),
            _ => 26 + u32::from(c) % 6,
        };
        all | 1 << bit
    })
}

/// The letter pairs of a word, its ends included.
fn pairs(word: &str) -> impl Iterator<Item = (char, char)> {
    let end = std::iter::once(' ');
    end.clone().chain(word.chars()).zip(word.chars().chain(end))
}

/// The trigrams of words, two blanks before and one after each, sorted; a character has 21 bits.
fn trigrams<'a>(words: impl Iterator<Item = &'a str>) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::with_capacity(32);
    for word in words {
        let mut last = (0_u64, 0_u64);
        for c in word.chars().map(u64::from).chain(std::iter::once(0)) {
            all.push(last.0 << 42 | last.1 << 21 | c);
            last = (last.1, c);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The share of all trigrams of two names that both have (Jaccard's index).
fn in_common(a: &[u64], b: &[u64]) -> f32 {
    let common = a.iter().filter(|trigram| b.binary_search(trigram).is_ok()).count();
    common as f32 / (a.len() + b.len() - common).max(1) as f32
}

/// The worth of a contact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// 0 to 1.
    pub(super) value: f32,
    /// Whether every token was found beyond doubt.
    pub(super) good: bool,
}

/// One way to read the query: tokens that must each be met by a term of its own.
pub(super) struct Asked<'a> {
    wanted: Vec<&'a Wanted>,
    trigrams: Vec<u64>,
    /// Whether there are words among the tokens, so that the rest of a name counts.
    by_name: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn new(wanted: Vec<&'a Wanted>) -> Self {
        let trigrams = trigrams(wanted.iter().map(|wanted| wanted.text.as_str()));
        let by_name =
            wanted.iter().any(|wanted| matches!(wanted.token, Token::Word { .. } | Token::Code(_)));
        Asked { wanted, trigrams, by_name }
    }

    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }
}

/// Scores a contact.
pub(super) fn score(asked: &Asked<'_>, terms: &[Term]) -> Score {
    let wanted = &asked.wanted;
    let mut pairs: Vec<(f32, usize, usize)> = Vec::with_capacity(wanted.len() * terms.len());
    for (asked, wanted) in wanted.iter().enumerate() {
        for (at, term) in terms.iter().enumerate() {
            let alike = wanted.meets(&term.text).unwrap_or_else(|| {
                // Words that are no name are no help unless they are meant.
                if term.covers == 0 { 0.0 } else { wanted.resembles(&term.text) }
            });
            if alike > 0.0 {
                pairs.push((alike * worth(term), asked, at));
            }
        }
    }
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let mut met: Vec<Option<(f32, usize)>> = vec![None; wanted.len()];
    let mut covered = 0_u64;
    for (value, asked, at) in pairs {
        let (Some(slot), Some(term)) = (met.get_mut(asked), terms.get(at)) else { continue };
        if slot.is_some() || covered & term.covers != 0 {
            continue;
        }
        *slot = Some((value, at));
        covered |= term.covers;
    }
    let mut sum = 0.0;
    let mut weights = 0.0;
    let mut good = true;
    for (wanted, met) in wanted.iter().zip(&met) {
        let value = met.map_or(0.0, |(value, _)| value);
        good &=
            met.and_then(|(_, at)| terms.get(at)).is_some_and(|term| value >= GOOD * worth(term));
        sum += wanted.weight() * value;
        weights += wanted.weight();
    }
    let name: u64 = terms.iter().fold(0, |all, term| all | term.covers);
    let unasked = if asked.by_name { (name & !covered).count_ones().min(MAX_UNASKED) } else { 0 };
    let places = met.iter().flatten().map(|(_, at)| *at);
    let swapped = !places.is_sorted();
    let mut value = sum / f32::max(weights, 1.0)
        - UNASKED * unasked as f32
        - if swapped { SWAPPED } else { 0.0 };
    if !good {
        let names = terms.iter().filter(|term| term.covers.count_ones() == 1);
        let own = trigrams(names.map(|term| term.text.as_str()));
        value = (1.0 - WHOLE) * value + WHOLE * in_common(&asked.trigrams, &own);
    }
    Score { value: value.clamp(0.0, 1.0), good }
}

/// What a term is worth beside those of the name.
fn worth(term: &Term) -> f32 {
    match term.field {
        Field::First | Field::Last | Field::Display | Field::Phone => 1.0,
        Field::Email if term.text.starts_with(ADDRESS) => 1.0,
        Field::Email => 0.95,
        Field::Company => 0.9,
    }
}

/// The score of a contact for tokens that were not taken as they were typed.
pub(super) fn less(score: Score, cost: f32) -> Score {
    Score { value: (score.value - cost).max(0.0), ..score }
}
