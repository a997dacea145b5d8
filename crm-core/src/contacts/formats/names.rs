//! Names and labels as people write them.

use crate::contacts::model::{CustomValue, NewContact};

/// A full name taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NameParts {
    pub(super) honorific: Option<String>,
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
    pub(super) suffix: Option<String>,
}

/// Words before a family name that belong to it.
const PARTICLES: &[&str] = &[
    "af", "al", "ap", "av", "bin", "da", "dal", "de", "degli", "del", "della", "den", "der", "des",
    "di", "do", "dos", "du", "el", "ibn", "la", "las", "le", "los", "ten", "ter", "van", "vom",
    "von", "zu", "zum", "zur",
];

const HONORIFICS: &[&str] = &[
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "herr", "frau", "mme", "mlle", "sr",
    "sra", "srta", "don", "doña",
];

const SUFFIXES: &[&str] =
    &["jr", "sr", "ii", "iii", "iv", "phd", "md", "esq", "dds", "cpa", "mba", "dvm", "jd", "rn"];

/// Takes a full name apart: the last word is the family name together with the particles before it
/// (`Ludwig van Beethoven`), `Last, First` is turned around, a leading honorific and a trailing
/// suffix stand for themselves. A single word is a first name.
pub(super) fn split_full_name(full: &str) -> NameParts {
    let mut parts = NameParts::default();
    let (before, after) = match full.split_once(',') {
        Some((name, rest)) => (name.trim(), rest.trim()),
        None => (full.trim(), ""),
    };
    let mut words: Vec<&str> = before.split_whitespace().collect();
    if !after.is_empty() {
        if after.split([',', ' ']).all(|word| word.is_empty() || is_one_of(word, SUFFIXES)) {
            parts.suffix = Some(after.to_owned());
        } else {
            parts.last = join(&words);
            words = after.split_whitespace().collect();
        }
    }
    if words.len() > 1
        && let Some(first) = words.first().copied()
        && is_one_of(first, HONORIFICS)
    {
        parts.honorific = Some(first.to_owned());
        words.remove(0);
    }
    if words.len() > 2
        && parts.suffix.is_none()
        && let Some(last) = words.last().copied()
        && is_one_of(last, SUFFIXES)
    {
        parts.suffix = Some(last.to_owned());
        words.pop();
    }
    if parts.last.is_none() && (words.len() > 1 || parts.honorific.is_some()) {
        let mut start = words.len().saturating_sub(1);
        // The first word is never a particle: `Al Gore`.
        while start > 1 && words.get(start - 1).is_some_and(|word| is_one_of(word, PARTICLES)) {
            start -= 1;
        }
        let last = words.split_off(start);
        parts.last = join(&last);
    }
    parts.first = join(&words);
    parts
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    let plain: String = word.chars().filter(|c| *c != '.').flat_map(char::to_lowercase).collect();
    list.contains(&plain.as_str())
}

fn join(words: &[&str]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

/// The label of an e-mail, phone or address by the word for it, in small letters where the word is
/// known and as written where it is the owner's own. `* Work`, as Google marks the first of a kind, is `work`.
pub(super) fn label(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("* ").unwrap_or(text).trim();
    let plain: String =
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let known = match plain.as_str() {
        "" => return None,
        "work" | "business" | "office" => "work",
        "home" | "private" | "personal" => "home",
        "mobile" | "cell" | "cellphone" | "mobilephone" => "mobile",
        "workfax" | "businessfax" => "work fax",
        "homefax" => "home fax",
        "otherfax" => "other fax",
        "workmobile" | "mobilework" => "work mobile",
        "fax" => "fax",
        "main" => "main",
        "other" => "other",
        "pager" => "pager",
        "school" => "school",
        _ => return Some(text.to_owned()),
    };
    Some(known.to_owned())
}

/// Address books keep companies, and people of whom only a nickname is known; a contact needs a name, an e-mail
/// or a phone. So the nickname, else the company, is the name to show where there is nothing else.
pub(super) fn name_the_nameless(contact: &mut NewContact) {
    let named = [&contact.first_name, &contact.last_name, &contact.display_name];
    if named.iter().any(|name| name.is_some())
        || !contact.emails.is_empty()
        || !contact.phones.is_empty()
    {
        return;
    }
    contact.display_name = match contact.custom.get("nickname") {
        Some(CustomValue::Text(nickname)) => Some(nickname.clone()),
        Some(CustomValue::Bool(_) | CustomValue::Number(_)) | None => contact.company.clone(),
    };
}

/// Text of several lines as one, for a value that has only one.
pub(super) fn one_line(text: &str) -> String {
    if text.contains(['\n', '\r', '\t']) {
        text.split(['\n', '\r', '\t'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        text.trim().to_owned()
    }
}
