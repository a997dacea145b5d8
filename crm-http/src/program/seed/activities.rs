//! Made-up activities.

use crm_core::activities::{ActivityKind, NewActivity};
use crm_core::contacts::Contact;
use crm_core::{ContactId, Timestamp};
use serde_json::{Value, json};

/// 2025-01-01T00:00:00Z, and a year from then, in seconds.
const BEGIN: i64 = 1_735_689_600;
const YEAR: u64 = 365 * 24 * 60 * 60;

/// What happened with a contact of this seed.
pub(super) fn of(seed: u64, contact: &Contact) -> Happenings {
    let email = contact.emails.first().map(|email| email.address.to_string()).unwrap_or_default();
    Happenings { contact: contact.id, email, seed }
}

/// What happened with one contact. It follows from the seed and the e-mail address: ids differ
/// from database to database.
pub(super) struct Happenings {
    contact: ContactId,
    email: String,
    seed: u64,
}

impl Happenings {
    /// The activity of this number.
    pub(super) fn nth(&mut self, number: u64) -> NewActivity {
        let mut random = Random::new(self.seed, &self.email, number);
        let second = BEGIN + random.below(YEAR) as i64;
        let (kind, subject, data) = self.happening(&mut random);
        NewActivity {
            occurred_at: Timestamp::from_micros(second * 1_000_000),
            subject: Some(subject.to_owned()),
            data,
            ..NewActivity::of(self.contact, kind)
        }
    }

    fn happening(&self, random: &mut Random) -> (ActivityKind, &'static str, Value) {
        let direction = if random.below(2) == 0 { "inbound" } else { "outbound" };
        match random.below(100) {
            0..35 => {
                let subject = random.pick(&EMAILS);
                let data = json!({ "direction": "outbound", "to": [self.email] });
                (ActivityKind::Email, subject, data)
            }
            35..60 => {
                let seconds = 20 + random.below(1_200);
                let data = json!({
                    "direction": direction,
                    "duration_seconds": seconds,
                    "disposition": random.pick(&DISPOSITIONS),
                });
                (ActivityKind::Call, random.pick(&CALLS), data)
            }
            60..80 => (ActivityKind::Note, random.pick(&NOTES), Value::Null),
            80..90 => {
                let data = json!({ "location": random.pick(&PLACES) });
                (ActivityKind::Meeting, random.pick(&MEETINGS), data)
            }
            90..96 => {
                let data = json!({ "done": random.below(3) > 0 });
                (ActivityKind::Task, random.pick(&TASKS), data)
            }
            _ => {
                let data = json!({ "direction": direction });
                (ActivityKind::Sms, random.pick(&TEXTS), data)
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014) over a hash (FNV-1a) of what is to be made.
struct Random(u64);

impl Random {
    fn new(seed: u64, email: &str, number: u64) -> Self {
        let bytes = seed.to_le_bytes().into_iter().chain(email.bytes()).chain(number.to_le_bytes());
        Random(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(bits ^ (bits >> 31)) * u128::from(end)) >> 64) as u64
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        let at = self.below(of.len() as u64) as usize;
        of.get(at).copied().unwrap_or_default()
    }
}

const EMAILS: [&str; 6] = [
    "The offer we spoke about",
    "Invoice",
    "Thank you for your visit",
    "Dates for the demonstration",
    "Your question about delivery",
    "The signed contract",
];
const CALLS: [&str; 5] =
    ["Introduced ourselves", "Asked about the offer", "Renewal", "Complaint", "Called back"];
const DISPOSITIONS: [&str; 4] = ["connected", "left a message", "call back later", "no interest"];
const NOTES: [&str; 5] = [
    "Prefers to be called in the morning",
    "Decides together with purchasing",
    "Met at the fair",
    "Looks for a second supplier",
    "Moves to a new office this year",
];
const MEETINGS: [&str; 4] = ["First meeting", "Demonstration", "Contract", "Review of the year"];
const PLACES: [&str; 4] = ["their office", "our office", "by video", "the fair"];
const TASKS: [&str; 4] =
    ["Send the offer", "Ask for a reference", "Check the price list", "Prepare the renewal"];
const TEXTS: [&str; 3] = ["Running ten minutes late", "Confirmed for tomorrow", "Please call back"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_and_the_address_decide() {
        let of = |seed, email: &str| {
            let mut random = Random::new(seed, email, 0);
            (0..8).map(|_| random.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(of(1, "ada@acme.example"), of(1, "ada@acme.example"));
        assert_ne!(of(1, "ada@acme.example"), of(2, "ada@acme.example"));
        assert_ne!(of(1, "ada@acme.example"), of(1, "bob@acme.example"));
    }
}
