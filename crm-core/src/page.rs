//! Pages of a list.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::hash::fnv64;
use crate::time::Timestamp;

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: u16,
    cursor: Option<String>,
}

impl Page {
    /// Items on a page where nothing is said.
    pub const DEFAULT_LIMIT: u16 = 50;
    /// The most items on a page.
    pub const MAX_LIMIT: u16 = 200;

    /// The first page with `limit` items, held to 1..=200.
    pub fn first(limit: u16) -> Self {
        Page { limit: limit.clamp(1, Self::MAX_LIMIT), cursor: None }
    }

    /// The page that a reply's `next_cursor` points to, with `limit` items, held to 1..=200.
    pub fn after(cursor: impl Into<String>, limit: u16) -> Self {
        Page { cursor: Some(cursor.into()), ..Page::first(limit) }
    }

    /// The page that a caller asks for by these.
    pub fn asked(limit: Option<Limit>, cursor: Option<&Cursor>) -> Self {
        let Limit(limit) = limit.unwrap_or_default();
        Page { limit, cursor: cursor.map(|Cursor(cursor)| cursor.clone()) }
    }

    /// How many items the page has at most.
    pub fn limit(&self) -> usize {
        usize::from(self.limit)
    }

    /// Where the page begins, for the list that `list` names (its path, filters and sort).
    ///
    /// # Errors
    ///
    /// `invalid_cursor` when the cursor was altered, or made by another list.
    pub(crate) fn position(&self, list: &str) -> Result<Option<Position>> {
        self.cursor.as_deref().map(|cursor| Position::decode(cursor, list)).transpose()
    }
}

impl Default for Page {
    fn default() -> Self {
        Page::first(Self::DEFAULT_LIMIT)
    }
}

/// How many items a page has, 1 to 200, as a caller asks for it: more or less is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Default for Limit {
    fn default() -> Self {
        Limit(Page::DEFAULT_LIMIT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u16::deserialize(deserializer).ok();
        limit.filter(|limit| (1..=Page::MAX_LIMIT).contains(limit)).map(Limit).ok_or_else(|| {
            D::Error::custom(format_args!("a page has 1 to {} items", Page::MAX_LIMIT))
        })
    }
}

/// Where a page begins: `next_cursor` of the page before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline))]
#[serde(transparent)]
pub struct Cursor(#[cfg_attr(feature = "schema", schemars(length(min = 1)))] String);

/// Which page of a list, where nothing else can be asked of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Paging {
    /// How many items the page has at most.
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<Cursor>,
}

impl Paging {
    /// The page that is meant.
    pub fn page(&self) -> Page {
        Page::asked(self.limit, self.cursor.as_ref())
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PageOf<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Leads to the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

impl<T> PageOf<T> {
    /// Cuts `items`, of which one more than the limit was read, and names the place after the last
    /// one kept.
    pub(crate) fn cut(
        mut items: Vec<T>,
        limit: usize,
        list: &str,
        position: impl FnOnce(&T) -> Position,
    ) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        PageOf::of(items, more, list, position)
    }

    /// A page after whose last item there is `more`.
    pub(crate) fn of(
        items: Vec<T>,
        more: bool,
        list: &str,
        position: impl FnOnce(&T) -> Position,
    ) -> Self {
        let next_cursor = items.last().filter(|_| more).map(|last| position(last).encode(list));
        PageOf { items, next_cursor }
    }
}

/// A place in a sorted list: the sort key and the id of the last item seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Position {
    /// The sort key.
    pub key: SortKey,
    /// The identifier, which makes the order total.
    pub id: Uuid,
}

/// The value that a list is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// A point in time.
    Time(Timestamp),
    /// Normalised text, compared by its bytes.
    Text(String),
    /// A score, 0..=1.
    Score(f32),
}

impl Position {
    fn encode(&self, list: &str) -> String {
        let mut bytes = vec![];
        match &self.key {
            SortKey::Time(at) => {
                bytes.push(b't');
                bytes.extend(at.as_micros().to_be_bytes());
            }
            SortKey::Text(text) => {
                bytes.push(b's');
                bytes.extend(text.as_bytes());
            }
            SortKey::Score(score) => {
                bytes.push(b'f');
                bytes.extend(score.to_bits().to_be_bytes());
            }
        }
        let mut whole = self.id.as_bytes().to_vec();
        whole.extend(bytes);
        whole.extend(seal(&whole, list).to_be_bytes());
        whole.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn decode(cursor: &str, list: &str) -> Result<Self> {
        Self::parse(cursor, list).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidCursor,
                "this cursor does not belong to this list; use `next_cursor` of a reply as it is, \
                 with the same filters and sort",
            )
        })
    }

    fn parse(cursor: &str, list: &str) -> Option<Self> {
        let bytes: Vec<u8> = cursor
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
            .map(|pair| u8::from_str_radix(pair?, 16).ok())
            .collect::<Option<_>>()?;
        let (whole, sealed) = bytes.split_last_chunk::<8>()?;
        if u64::from_be_bytes(*sealed) != seal(whole, list) {
            return None;
        }
        let (id, rest) = whole.split_first_chunk::<16>()?;
        let (tag, key) = rest.split_first()?;
        let key = match tag {
            b't' => {
                SortKey::Time(Timestamp::from_micros(i64::from_be_bytes(key.try_into().ok()?))?)
            }
            b's' => SortKey::Text(String::from_utf8(key.to_vec()).ok()?),
            b'f' => SortKey::Score(f32::from_bits(u32::from_be_bytes(key.try_into().ok()?))),
            _ => return None,
        };
        Some(Position { key, id: Uuid::from_bytes(*id) })
    }
}

/// Binds a cursor to its list. It guards against mistakes, not against an attacker: a forged cursor
/// shows nothing but another place of a list that the caller may read anyway.
fn seal(bytes: &[u8], list: &str) -> u64 {
    fnv64(&[b"cursor.v1", list.as_bytes(), bytes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_position() -> impl Strategy<Value = Position> {
        let key = prop_oneof![
            (Timestamp::MIN.as_micros()..Timestamp::MAX.as_micros())
                .prop_map(|micros| SortKey::Time(Timestamp::from_micros(micros).unwrap())),
            ".{0,40}".prop_map(SortKey::Text),
            (0f32..=1.0).prop_map(SortKey::Score),
        ];
        (key, any::<[u8; 16]>()).prop_map(|(key, id)| Position { key, id: Uuid::from_bytes(id) })
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(position in any_position()) {
            let cursor = position.encode("list");
            prop_assert_eq!(Page::after(cursor, 1).position("list").unwrap(), Some(position));
        }

        #[test]
        fn an_altered_cursor_is_refused(position in any_position(), at in 0usize..50, to in "[0-9a-fé]") {
            let mut cursor: Vec<char> = position.encode("list").chars().collect();
            let at = at % cursor.len();
            let to = to.chars().next().unwrap();
            prop_assume!(cursor[at] != to);
            cursor[at] = to;
            let page = Page::after(cursor.into_iter().collect::<String>(), 1);
            prop_assert_eq!(page.position("list").unwrap_err().kind(), ErrorKind::InvalidCursor);
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let position = Position { key: SortKey::Text("a".into()), id: Uuid::nil() };
        let page = Page::after(position.encode("contacts"), 1);
        assert_eq!(page.position("companies").unwrap_err().kind(), ErrorKind::InvalidCursor);
    }
}
