//! What a person typed into the search box.

use super::terms::{ADDRESS, CODE, FORWARD, digits, domain_words, reversed};
use crate::phone::{PhoneNumber, Region};
use crate::text::{fold, words};

/// Bytes of a query that are read.
pub const MAX_QUERY: usize = 1_024;
/// Words of a query that are looked for.
pub const MAX_TOKENS: usize = 12;
/// Digits that make a phone number worth looking for.
const MIN_DIGITS: usize = 4;
/// Words that stand beside a phone number.
const PHONE_WORDS: [&str; 6] = ["x", "ext", "tel", "phone", "fax", "mobile"];
/// Ends of domains that are typed with a name: `acme.com`.
const DOMAIN_ENDS: [&str; 24] = [
    "com", "org", "net", "edu", "gov", "io", "co", "info", "biz", "uk", "us", "de", "fr", "es",
    "it", "ru", "nl", "ch", "at", "au", "ca", "eu", "se", "pl",
];

/// A query, read once: at most [`MAX_TOKENS`] words, numbers and addresses. No text is refused; one without
/// a letter or a digit asks for nothing.
///
/// ```
/// use crm_core::Region;
/// use crm_core::contacts::search::Query;
/// assert!(!Query::parse("ada lovelaec", Region::US).is_empty());
/// assert!(Query::parse(" \"*\" 🎉 ", Region::US).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What could be meant; the first reading is the literal one.
    pub(super) readings: Vec<Vec<Token>>,
}

/// One thing that a contact must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters; `ends` where the query ends with them, as while typing.
    Word { text: String, ends: bool },
    /// Letters and digits, or a few digits.
    Code(String),
    /// An e-mail address or its beginning.
    Address(String),
    /// Part of a phone number.
    Phone(Phone),
}

/// The terms that a phone number typed in some notation could stand under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phone {
    /// The whole number, where it is one.
    pub(super) whole: Option<String>,
    /// Starts of terms, the likeliest first.
    pub(super) starts: Vec<String>,
}

impl Query {
    /// Reads a query. Phone numbers without a country code belong to `region`.
    ///
    /// Never fails; at most [`MAX_QUERY`] bytes are read.
    pub fn parse(text: &str, region: Region) -> Self {
        let text = text.get(..text.floor_char_boundary(MAX_QUERY)).unwrap_or_default();
        let mut literal: Vec<Token> = Vec::new();
        let mut parted: Vec<Token> = Vec::new();
        let mut number: Vec<&str> = Vec::new();
        for chunk in text.split(|c: char| c.is_whitespace() || c.is_control() || c == ',') {
            if is_part_of_number(chunk) {
                number.push(chunk);
                continue;
            }
            flush(&mut number, region, &mut literal, &mut parted);
            if let Some(address) = address(chunk) {
                parted.extend(parts_of(&address).into_iter().map(token));
                literal.push(Token::Address(address));
            } else {
                let tokens: Vec<Token> = parts(chunk).into_iter().map(token).collect();
                literal.extend_from_slice(&tokens);
                parted.extend(tokens);
            }
        }
        flush(&mut number, region, &mut literal, &mut parted);
        let typing = text.ends_with(|c: char| c.is_alphabetic());
        let mut readings = vec![literal];
        if readings.first() != Some(&parted) && !parted.is_empty() {
            readings.push(parted);
        }
        for reading in &mut readings {
            reading.truncate(MAX_TOKENS);
            if let Some(Token::Word { ends, .. }) = reading.last_mut() {
                *ends = typing;
            }
        }
        Query { readings }
    }

    /// Whether the query asks for nothing, and so finds nothing.
    pub fn is_empty(&self) -> bool {
        self.readings.iter().all(Vec::is_empty)
    }
}

/// Reads the chunks gathered so far as one phone number, or as words where they are too short.
fn flush(
    number: &mut Vec<&str>,
    region: Region,
    literal: &mut Vec<Token>,
    parted: &mut Vec<Token>,
) {
    let text = number.join(" ");
    let tokens = match phone(&text, region) {
        Some(phone) => vec![Token::Phone(phone)],
        None => number.iter().flat_map(|chunk| words(chunk)).map(token).collect(),
    };
    number.clear();
    literal.extend_from_slice(&tokens);
    parted.extend(tokens);
}

fn is_part_of_number(chunk: &str) -> bool {
    let letters: String = chunk.chars().filter(|c| c.is_alphabetic()).collect();
    !chunk.is_empty()
        && chunk.chars().all(|c| c.is_ascii() && !matches!(c, '@' | '_' | '='))
        && (letters.is_empty() || PHONE_WORDS.contains(&letters.to_ascii_lowercase().as_str()))
}

fn phone(text: &str, region: Region) -> Option<Phone> {
    let typed = digits(text);
    if typed.len() < MIN_DIGITS {
        return None;
    }
    let whole = PhoneNumber::parse(text, region).map(|number| reversed(number.digits()));
    // No number has more than 15 digits; some are kept as typed, with an extension.
    let typed: String = typed.chars().take(crate::text::MAX_WORD).collect();
    let bare = typed.trim_start_matches('0');
    let mut starts: Vec<String> = whole.iter().cloned().collect();
    starts.push(reversed(&typed));
    starts.push(format!("{FORWARD}{typed}"));
    if bare.len() < typed.len() && bare.len() >= MIN_DIGITS {
        starts.push(reversed(bare));
        starts.push(format!("{FORWARD}{bare}"));
    }
    // A trunk prefix of one digit: 8 in Russia, 1 in North America.
    if bare.len() > 9
        && let Some(rest) = bare.strip_prefix(['1', '8'])
    {
        starts.push(reversed(rest));
    }
    starts.push(format!("{CODE}{typed}"));
    let mut seen = Vec::new();
    starts.retain(|start| {
        let fresh = !seen.contains(start);
        seen.push(start.clone());
        fresh
    });
    Some(Phone { whole, starts })
}

fn token(word: String) -> Token {
    if word.contains(char::is_numeric) {
        Token::Code(word)
    } else {
        Token::Word { text: word, ends: false }
    }
}

/// The address in a chunk such as `<Ada@Example.com>`, lower case; it may end early.
fn address(chunk: &str) -> Option<String> {
    // Folded first: a mark counts as a letter, and folding leaves nothing of it.
    let folded = fold(chunk);
    let trimmed = folded.trim_matches(|c: char| !c.is_alphanumeric() && c != '@');
    let (local, _) = trimmed.split_once('@')?;
    local.contains(char::is_alphanumeric).then(|| trimmed.chars().take(254).collect())
}

fn parts_of(address: &str) -> Vec<String> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    words(local).into_iter().chain(domain_words(domain)).collect()
}

/// The words of a chunk; the end of a domain is left out.
fn parts(chunk: &str) -> Vec<String> {
    let mut parts = words(chunk);
    let trimmed = chunk.trim_end_matches(|c: char| !c.is_alphanumeric());
    if parts.len() > 1
        && parts.last().is_some_and(|last| DOMAIN_ENDS.contains(&last.as_str()))
        && trimmed.rsplit_once('.').is_some_and(|(_, end)| end.chars().all(char::is_alphabetic))
    {
        parts.pop();
    }
    parts
}

/// The posting that an address has, or starts with.
pub(super) fn address_start(address: &str) -> String {
    format!("{ADDRESS}{address}")
}
