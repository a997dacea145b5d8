//! What happens in a call, in Twilio's words (twilio.com/docs/voice/twiml).

use std::borrow::Cow;
use std::time::Duration;

use crm_core::telephony::ScriptStep;

/// The document that tells Twilio to take these steps.
pub(crate) fn write(script: &[ScriptStep]) -> String {
    let mut document = Element::new("Response");
    for step in script {
        document = match step {
            ScriptStep::Say { text, language } => document
                .child(Element::new("Say").attribute("language", language.as_deref()).text(text)),
            ScriptStep::Connect { to, caller_id, record, callback } => {
                let number = Element::new("Number").text(to.as_str());
                let caller_id = caller_id.as_ref().map(|number| number.as_str());
                let mut dial = Element::new("Dial").attribute("callerId", caller_id);
                if *record {
                    let told = callback.as_deref();
                    dial = dial
                        .attribute("record", Some("record-from-answer-dual"))
                        .attribute("recordingStatusCallback", told)
                        .attribute("recordingStatusCallbackMethod", told.and(Some("POST")))
                        .attribute(
                            "recordingStatusCallbackEvent",
                            told.and(Some("in-progress completed absent")),
                        );
                }
                document.child(dial.child(number))
            }
            ScriptStep::Pause(length) => match seconds(*length) {
                0 => document,
                length => document
                    .child(Element::new("Pause").attribute("length", Some(&length.to_string()))),
            },
            ScriptStep::Reject => document.child(Element::new("Reject")),
        };
    }
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}", document.write())
}

/// Whole seconds, of which a pause consists.
fn seconds(length: Duration) -> u64 {
    length.as_secs() + u64::from(length.subsec_nanos() > 0)
}

/// An element that is open: what is in it is written already.
struct Element {
    name: &'static str,
    attributes: String,
    content: String,
}

impl Element {
    fn new(name: &'static str) -> Self {
        Element { name, attributes: String::new(), content: String::new() }
    }

    fn attribute(mut self, name: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.attributes.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
        self
    }

    fn text(mut self, text: &str) -> Self {
        self.content.push_str(&escaped(text));
        self
    }

    fn child(mut self, child: Element) -> Self {
        self.content.push_str(&child.write());
        self
    }

    fn write(&self) -> String {
        let Element { name, attributes, content } = self;
        if content.is_empty() {
            format!("<{name}{attributes}/>")
        } else {
            format!("<{name}{attributes}>{content}</{name}>")
        }
    }
}

/// The text for an element or an attribute. What XML 1.0 cannot say (2.2) becomes a space, and so do line
/// ends, which a reader of attributes would change.
fn escaped(text: &str) -> Cow<'_, str> {
    let plain = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && is_said(c);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if is_said(c) => escaped.push(c),
            _ => escaped.push(' '),
        }
    }
    Cow::Owned(escaped)
}

fn is_said(c: char) -> bool {
    c >= ' ' && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use crm_core::PhoneNumber;

    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::from_e164(text).unwrap()
    }

    fn body(script: &[ScriptStep]) -> String {
        let document = write(script);
        let body = document.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response");
        body.unwrap().to_owned()
    }

    #[test]
    fn each_step_has_its_word() {
        assert_eq!(body(&[]), "/>");
        assert_eq!(body(&[ScriptStep::Reject]), "><Reject/></Response>");
        let pause =
            [ScriptStep::Pause(Duration::from_millis(1_200)), ScriptStep::Pause(Duration::ZERO)];
        assert_eq!(body(&pause), "><Pause length=\"2\"/></Response>");
        let say = ScriptStep::Say { text: "Guten Tag".into(), language: Some("de-DE".into()) };
        assert_eq!(body(&[say]), "><Say language=\"de-DE\">Guten Tag</Say></Response>");
        let connect = ScriptStep::Connect {
            to: number("+14155550100"),
            caller_id: Some(number("+14155550199")),
            record: true,
            callback: Some("https://crm.example/cb?a=1&b=2".into()),
        };
        assert_eq!(
            body(&[connect]),
            "><Dial callerId=\"+14155550199\" record=\"record-from-answer-dual\" \
             recordingStatusCallback=\"https://crm.example/cb?a=1&amp;b=2\" \
             recordingStatusCallbackMethod=\"POST\" \
             recordingStatusCallbackEvent=\"in-progress completed absent\">\
             <Number>+14155550100</Number></Dial></Response>"
        );
        let plain = ScriptStep::Connect {
            to: number("+14155550100"),
            caller_id: None,
            record: false,
            callback: Some("https://crm.example/".into()),
        };
        assert_eq!(body(&[plain]), "><Dial><Number>+14155550100</Number></Dial></Response>");
    }

    #[test]
    fn hostile_text_stays_text() {
        let text = "</Say><Dial>&amp;\u{0}\u{1b}]]>\u{FFFF}".to_owned();
        let language = Some("en\"><Dial>\n".to_owned());
        assert_eq!(
            body(&[ScriptStep::Say { text, language }]),
            "><Say language=\"en&quot;&gt;&lt;Dial&gt; \">&lt;/Say&gt;&lt;Dial&gt;&amp;amp;  ]]&gt; \
             </Say></Response>"
        );
    }
}
