//! What a contact can be found by.

use crate::contacts::model::Contact;
use crate::text::{fold, is_unspaced, words};

/// Words of one name or company that count.
const MAX_WORDS: usize = 12;
/// Parts of an unspaced word that count.
const MAX_SUFFIXES: usize = 8;
/// Labels of a domain that name no one: second levels such as `co` in `example.co.uk`.
const SECOND_LEVELS: [&str; 7] = ["co", "com", "org", "net", "gov", "edu", "ac"];

/// Begins a phone number's digits, last one first.
pub(super) const REVERSED: char = '#';
/// Begins a phone number's digits, first one first.
pub(super) const FORWARD: char = '+';
/// Begins a word that has no neighbours: it holds digits, or is one person's mailbox.
pub(super) const CODE: char = '=';
/// Begins an e-mail address.
pub(super) const ADDRESS: char = '@';

/// Whether a posting is a word of the vocabulary, which has a
/// [`neighbourhood`](super::neighbourhood()); other postings are found by their start alone.
pub fn is_word(posting: &str) -> bool {
    !posting.starts_with([REVERSED, FORWARD, CODE, ADDRESS])
}

/// The values of a contact that search reads.
#[derive(Debug, Clone, Default)]
pub struct Searchable<'a> {
    /// Given name.
    pub first_name: Option<&'a str>,
    /// Family name.
    pub last_name: Option<&'a str>,
    /// The name to show.
    pub display_name: &'a str,
    /// The employer's name.
    pub company: Option<&'a str>,
    /// E-mail addresses.
    pub emails: Vec<&'a str>,
    /// Phone numbers: E.164 with its `+` where known, else as typed.
    pub phones: Vec<&'a str>,
}

impl<'a> From<&'a Contact> for Searchable<'a> {
    fn from(contact: &'a Contact) -> Self {
        Searchable {
            first_name: contact.first_name.as_deref(),
            last_name: contact.last_name.as_deref(),
            display_name: &contact.display_name,
            company: contact.company.as_deref(),
            emails: contact.emails.iter().map(|email| email.address.as_str()).collect(),
            phones: contact
                .phones
                .iter()
                .map(|phone| phone.number.as_ref().map_or(phone.raw.as_str(), |n| n.as_str()))
                .collect(),
        }
    }
}

/// Where a term stands in the contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    First,
    Last,
    /// In the display name only.
    Display,
    Company,
    Email,
    Phone,
}

impl Field {
    const ALL: [Field; 6] =
        [Field::First, Field::Last, Field::Display, Field::Company, Field::Email, Field::Phone];

    const fn letter(self) -> char {
        match self {
            Field::First => 'F',
            Field::Last => 'L',
            Field::Display => 'D',
            Field::Company => 'C',
            Field::Email => 'E',
            Field::Phone => 'P',
        }
    }

    pub(super) const fn is_name(self) -> bool {
        match self {
            Field::First | Field::Last | Field::Display => true,
            Field::Company | Field::Email | Field::Phone => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    field: Field,
    /// A folded word, a folded address, or digits (with `+` where they are E.164).
    text: String,
}

/// The normalised words, addresses and numbers of one contact.
///
/// ```
/// use crm_core::contacts::search::{ContactTerms, Searchable};
/// let terms = ContactTerms::of(Searchable {
///     first_name: Some("Zoë"),
///     last_name: Some("van Dam"),
///     ..Searchable::default()
/// });
/// assert_eq!(terms.postings(), ["dam", "van", "vandam", "zoe"]);
/// assert_eq!(ContactTerms::decode(&terms.encode()), terms);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactTerms {
    entries: Vec<Entry>,
}

/// One term as ranking sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// The posting.
    pub(super) text: String,
    pub(super) field: Field,
    /// One bit for each word of the name that the term stands for; 0 where it is no part of a name.
    pub(super) covers: u64,
}

impl ContactTerms {
    /// The terms of a contact.
    pub fn of<'a>(contact: impl Into<Searchable<'a>>) -> Self {
        let contact = contact.into();
        let mut entries = Vec::new();
        let mut add = |field, text: &str, known: &[String]| -> Vec<String> {
            let mut found = words(text);
            found.truncate(MAX_WORDS);
            let fresh = found.iter().filter(|word| !known.contains(word));
            entries.extend(fresh.map(|word| Entry { field, text: word.clone() }));
            found
        };
        let mut known = add(Field::First, contact.first_name.unwrap_or_default(), &[]);
        known.extend(add(Field::Last, contact.last_name.unwrap_or_default(), &[]));
        let shown = contact.display_name;
        // A contact without a name shows its company, address or number.
        let is_name = !(contact.company == Some(shown)
            || contact.emails.contains(&shown)
            || contact.phones.contains(&shown)
            || shown.contains('@'));
        if is_name && shown.contains(char::is_alphabetic) {
            add(Field::Display, shown, &known);
        }
        add(Field::Company, contact.company.unwrap_or_default(), &[]);
        for email in &contact.emails {
            let text: String = fold(email).chars().filter(|c| !c.is_whitespace()).collect();
            entries.push(Entry { field: Field::Email, text });
        }
        for phone in &contact.phones {
            let digits = digits(phone);
            if !digits.is_empty() {
                let plus = if phone.starts_with('+') { "+" } else { "" };
                entries.push(Entry { field: Field::Phone, text: format!("{plus}{digits}") });
            }
        }
        ContactTerms { entries }
    }

    /// The text that a store keeps per contact: one line for each word, address and number.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push(entry.field.letter());
            text.push_str(&entry.text);
        }
        text
    }

    /// Reads [`ContactTerms::encode`]; lines that it does not write are passed over.
    pub fn decode(text: &str) -> Self {
        let entry = |line: &str| {
            let mut chars = line.chars();
            let letter = chars.next()?;
            let field = Field::ALL.into_iter().find(|field| field.letter() == letter)?;
            let text = chars.as_str();
            (!text.is_empty()).then(|| Entry { field, text: text.to_owned() })
        };
        ContactTerms { entries: text.split('\n').filter_map(entry).collect() }
    }

    /// What the contact is posted under, sorted, each once.
    pub fn postings(&self) -> Vec<String> {
        let mut postings: Vec<String> = self.terms().into_iter().map(|term| term.text).collect();
        postings.sort_unstable();
        postings.dedup();
        postings
    }

    /// Every term with its place; the words of the name first, in their order.
    pub(super) fn terms(&self) -> Vec<Term> {
        let mut names = Vec::with_capacity(self.entries.len() * 3);
        let mut others = Vec::with_capacity(self.entries.len() * 2);
        let named = self.entries.iter().filter(|entry| entry.field.is_name());
        for (bit, entry) in (0..).zip(named) {
            let covers = 1_u64.checked_shl(bit).unwrap_or(0);
            names.push(Term { text: marked(&entry.text), field: entry.field, covers });
        }
        let of = |field| names.iter().filter(move |term| term.field == field);
        for field in [Field::First, Field::Last] {
            join(of(field), &mut others);
        }
        for name in &names {
            parts_of_unspaced(name, &mut others);
        }
        let family_first = of(Field::Last).chain(of(Field::First));
        if family_first.clone().all(|term| term.text.chars().all(is_unspaced)) {
            join(family_first, &mut others);
        }
        for entry in &self.entries {
            match entry.field {
                Field::First | Field::Last | Field::Display => {}
                Field::Company => {
                    let term = Term { text: marked(&entry.text), field: Field::Company, covers: 0 };
                    parts_of_unspaced(&term, &mut others);
                    others.push(term);
                }
                Field::Email => email_terms(&entry.text, &names, &mut others),
                Field::Phone => phone_terms(&entry.text, &mut others),
            }
        }
        names.append(&mut others);
        names
    }
}

/// The digits of a text.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A word as it is posted.
pub(super) fn marked(word: &str) -> String {
    if word.contains(char::is_numeric) { format!("{CODE}{word}") } else { word.to_owned() }
}

/// Neighbouring words written as one, and all of them: `van der Berg` is found as `vanderberg`.
fn join<'a>(words: impl Iterator<Item = &'a Term>, terms: &mut Vec<Term>) {
    let words: Vec<&Term> = words.collect();
    let joined = |words: &[&Term]| {
        let text = words.iter().map(|term| term.text.trim_start_matches(CODE)).collect::<String>();
        let text: String = text.chars().take(crate::text::MAX_WORD).collect();
        let field = words.first().map_or(Field::Last, |term| term.field);
        let covers = words.iter().fold(0, |all, term| all | term.covers);
        Term { text: marked(&text), field, covers }
    };
    terms.extend(words.windows(2).map(joined));
    if words.len() > 2 {
        terms.push(joined(&words));
    }
}

/// Chinese, Japanese and Korean names are written without spaces: whatever ends the word is posted
/// too, so that a look-up by prefix finds every part of it.
fn parts_of_unspaced(word: &Term, terms: &mut Vec<Term>) {
    if !word.text.chars().all(is_unspaced) {
        return;
    }
    let mut rest = word.text.chars();
    for _ in 0..MAX_SUFFIXES {
        rest.next();
        if rest.as_str().is_empty() {
            break;
        }
        terms.push(Term { text: rest.as_str().to_owned(), field: word.field, covers: word.covers });
    }
}

fn email_terms(address: &str, names: &[Term], terms: &mut Vec<Term>) {
    let mut push = |text: String| {
        if !text.is_empty() {
            terms.push(Term { text, field: Field::Email, covers: 0 });
        }
    };
    push(format!("{ADDRESS}{address}"));
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let locals = words(local);
    let is_name = |word: &str| names.iter().any(|name| name.text == word);
    let many = locals.len() > 1;
    for word in locals {
        let stem = word.trim_matches(char::is_numeric);
        if stem.len() < word.len() {
            if stem.chars().count() > 1
                && !stem.contains(char::is_numeric)
                && (many || is_name(stem))
            {
                push(stem.to_owned());
            }
            push(format!("{CODE}{word}"));
        } else if many || is_name(&word) {
            push(word);
        } else {
            // `jsmith` is one person's: with neighbours it would cost more than all the rest.
            push(format!("{CODE}{word}"));
        }
    }
    for word in domain_words(domain) {
        push(marked(&word));
    }
}

/// The words of a domain's labels without the public ones at its end.
pub(super) fn domain_words(domain: &str) -> Vec<String> {
    let mut labels: Vec<&str> = domain.split('.').filter(|label| !label.is_empty()).collect();
    if labels.len() > 1 {
        labels.pop();
    }
    if labels.len() > 1 && labels.last().is_some_and(|last| SECOND_LEVELS.contains(last)) {
        labels.pop();
    }
    labels.into_iter().flat_map(words).collect()
}

fn phone_terms(number: &str, terms: &mut Vec<Term>) {
    let digits = number.trim_start_matches('+');
    let mut push = |text| terms.push(Term { text, field: Field::Phone, covers: 0 });
    push(reversed(digits));
    push(format!("{FORWARD}{digits}"));
    if number.starts_with('+') {
        let national: String = digits.chars().skip(country_code_length(digits)).collect();
        if !national.is_empty() {
            push(format!("{FORWARD}{national}"));
        }
    }
}

/// The posting of a number whose last digits are these.
pub(super) fn reversed(digits: &str) -> String {
    std::iter::once(REVERSED).chain(digits.chars().rev()).collect()
}

/// Digits of the country code that an E.164 number begins with (ITU-T E.164 assigned codes: zones 1 and
/// 7 have one digit, the codes below two, all others three).
fn country_code_length(digits: &str) -> usize {
    let mut bytes = digits.bytes();
    let zone = bytes.next().unwrap_or_default();
    let second = bytes.next().unwrap_or_default();
    let two = match zone {
        b'1' | b'7' => return 1,
        b'2' => matches!(second, b'0' | b'7'),
        b'3' => matches!(second, b'0'..=b'4' | b'6' | b'9'),
        b'4' => second != b'2',
        b'5' => matches!(second, b'1'..=b'8'),
        b'6' => matches!(second, b'0'..=b'6'),
        b'8' => matches!(second, b'1' | b'2' | b'4' | b'6'),
        b'9' => !matches!(second, b'6' | b'7' | b'9'),
        _ => false,
    };
    if two { 2 } else { 3 }
}
