//! Text normalisation: what two spellings of one name have in common.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::error::FieldError;

/// Characters of one text that [`words`] reads; a name or a company is far shorter.
const MAX_READ: usize = 4_096;
/// Characters of one word that [`words`] keeps.
pub const MAX_WORD: usize = 40;

/// The text without case, accents and typographic variants.
///
/// Compatibility decomposition (Unicode NFKD), marks that only modify a letter dropped, lower case,
/// and the Latin letters that have no decomposition spelled out (`ß` → `ss`, `ø` → `o`). Vowel signs of
/// Indic scripts are letters of their own and stay. Linear in the length of the text.
///
/// ```
/// use crm_core::text::fold;
/// assert_eq!(fold("Muñoz"), "munoz");
/// assert_eq!(fold("STRASSE"), fold("Straße"));
/// assert_eq!(fold("Łukasz Ægir"), "lukasz aegir");
/// ```
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().flat_map(char::to_lowercase) {
        match spelled_out(c) {
            Some(letters) => folded.push_str(letters),
            None if is_accent(c) => {}
            None => folded.push(c),
        }
    }
    // Hangul was taken apart with the rest.
    if folded.is_ascii() { folded } else { folded.nfc().collect() }
}

/// The folded words of a text: runs of letters and digits, each at most [`MAX_WORD`] characters.
///
/// An apostrophe joins (`O'Brien` is one word), everything else separates. Reads at most 4,096
/// characters.
///
/// ```
/// use crm_core::text::words;
/// assert_eq!(words("Seán O’Brien-Łuk"), ["sean", "obrien", "luk"]);
/// ```
pub fn words(text: &str) -> Vec<String> {
    if text.is_ascii() && text.len() <= MAX_READ && !text.contains(is_apostrophe) {
        let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
        return parts
            .filter(|word| !word.is_empty())
            .map(|word| word.get(..MAX_WORD).unwrap_or(word).to_ascii_lowercase())
            .collect();
    }
    let read: String = text.chars().filter(|c| !is_apostrophe(*c)).take(MAX_READ).collect();
    fold(&read)
        .split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| word.contains(char::is_alphanumeric))
        .map(|word| word.chars().take(MAX_WORD).collect())
        .collect()
}

/// Whether the character belongs to a script that writes words without spaces between them.
pub fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ' | 'ʻ' | '`' | '´' | '′')
}

/// Marks that modify a letter: the combining diacritical blocks, Hebrew points, Arabic vowel signs.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036f}'
        | '\u{0591}'..='\u{05c7}'
        | '\u{064b}'..='\u{065f}'
        | '\u{0670}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

fn spelled_out(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ı' => "i",
        'ħ' => "h",
        'ŋ' => "n",
        'ŧ' => "t",
        'ĸ' => "k",
        'ə' => "e",
        // A final sigma is a sigma.
        'ς' => "σ",
        _ => return None,
    })
}

/// The name of a tenant, a user or a company: 1 to 255 printable characters, without the space around
/// them.
pub(crate) fn checked_name(field: &str, of: &str, name: &str) -> Result<String, FieldError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
        let message = format!("the name of {of} has 1 to 255 printable characters");
        return Err(FieldError::new(field, "invalid_name", message));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_without_a_letter_are_no_word() {
        assert!(words("\u{745} \u{6ec}").is_empty());
        assert_eq!(words("e\u{301}a"), ["ea"]);
    }

    #[test]
    fn spellings_of_one_name_fold_alike() {
        for (a, b) in [
            ("Muñoz", "munoz"),
            ("Straße", "STRASSE"),
            ("Søren", "soren"),
            ("Łódź", "lodz"),
            ("Đorđe", "DORDE"),
            ("Œuvre", "oeuvre"),
            ("ISTANBUL", "istanbul"),
            ("İstanbul", "istanbul"),
            ("ﬁnn", "Finn"),
            ("Ｊｏｈｎ", "john"),
            ("Алёна", "АЛЕНА"),
            ("Γιώργος", "γιωργοσ"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} and {b}");
        }
    }

    #[test]
    fn other_scripts_keep_their_letters() {
        assert_eq!(words("王小明"), ["王小明"]);
        assert_eq!(words("김 철수"), ["김", "철수"]);
        assert_eq!(words("प्रिया शर्मा"), ["प्रिया", "शर्मा"]);
        assert_eq!(words("Иван Петров"), ["иван", "петров"]);
    }

    #[test]
    fn words_part_at_everything_but_apostrophes() {
        assert_eq!(words("  D'Arcy-Smith, Jr. (ACME&Co) "), ["darcy", "smith", "jr", "acme", "co"]);
        assert_eq!(words("🎉 \"\" -- *"), Vec::<String>::new());
    }

    #[test]
    fn a_long_word_is_cut() {
        let long = "x".repeat(100_000);
        assert_eq!(words(&long).concat().len(), MAX_WORD);
    }
}
