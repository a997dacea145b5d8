//! The parameters of a form, as bytes: what Twilio has signed must not be changed by reading it.

use std::borrow::Cow;

/// The parameters of a body, in their order.
pub(crate) struct Form<'a>(Vec<Parameter<'a>>);

type Parameter<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Form<'a> {
    /// Any bytes are a form. A parameter without `=` is empty.
    pub(crate) fn read(body: &'a [u8]) -> Self {
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        Form(
            pairs
                .map(|pair| {
                    let mut parts = pair.splitn(2, |byte| *byte == b'=');
                    let name = parts.next().unwrap_or_default();
                    (decoded(name), decoded(parts.next().unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// The value of a parameter; `None` where it is missing or empty.
    ///
    /// # Errors
    ///
    /// Where it is no UTF-8, or is said twice and otherwise: a signature does not keep the order, so
    /// nobody knows which of them was meant.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, ()> {
        let mut values = self.0.iter().filter(|(own, _)| **own == *name.as_bytes());
        let Some((_, value)) = values.next() else { return Ok(None) };
        if values.any(|(_, other)| other != value) {
            return Err(());
        }
        let text = std::str::from_utf8(value).map_err(drop)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Each name and its value, sorted by name and, where a name has several values, by value, each value
    /// once.
    pub(crate) fn signed(mut self) -> Vec<u8> {
        self.0.sort_unstable();
        self.0.dedup();
        let mut signed = Vec::with_capacity(self.0.iter().map(|(n, v)| n.len() + v.len()).sum());
        for (name, value) in &self.0 {
            signed.extend_from_slice(name);
            signed.extend_from_slice(value);
        }
        signed
    }
}

/// A part of a form without its escapes. What only looks like an escape is left as it is.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escape = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                digit(*high).zip(digit(*low)).map(|(high, low)| (high * 16 + low, after))
            }
            _ => None,
        };
        let (byte, after) = match (first, escape) {
            (_, Some(escape)) => escape,
            (b'+', None) => (b' ', after),
            (byte, None) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Cow::Owned(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read_and_put_in_order() {
        let form = Form::read(b"b=%2B1+2&a=&&c=1&c=0&c=1&bare&x=%zz%4&e=a=b");
        assert_eq!(form.get("b"), Ok(Some("+1 2")));
        assert_eq!(form.get("a"), Ok(None));
        assert_eq!(form.get("none"), Ok(None));
        assert_eq!(form.get("x"), Ok(Some("%zz%4")));
        assert_eq!(form.get("e"), Ok(Some("a=b")));
        assert_eq!(form.get("c"), Err(()));
        assert_eq!(form.signed(), b"ab+1 2barec0c1ea=bx%zz%4");
        assert_eq!(Form::read(b"a=%ff").get("a"), Err(()));
        assert_eq!(Form::read(b"a=1&a=1").get("a"), Ok(Some("1")));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(pairs in prop::collection::vec(("[a-zA-Z.]{1,8}", ".{0,12}"), 0..8)) {
            let mut pairs = pairs;
            pairs.dedup_by(|one, other| one.0 == other.0);
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let read: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let own: Vec<_> = Form::read(body.as_bytes()).0.into_iter()
                .map(|(name, value)| (
                    String::from_utf8(name.into_owned()).unwrap(),
                    String::from_utf8(value.into_owned()).unwrap(),
                ))
                .collect();
            prop_assert_eq!(own, read);
        }
    }
}
