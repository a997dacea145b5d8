//! Made-up people as contacts, each with an e-mail address of its own.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crm_core::contacts::{NewContact, PostalAddress};
use crm_core::sample::Sample;

/// The people of a seed, one after the other.
pub(super) struct People {
    sample: Sample,
    // The hashes of the addresses given out: a contact's e-mail is its own, and a million hashes
    // need 16 MB where the addresses would need 60.
    taken: HashSet<u64>,
}

impl People {
    pub(super) fn new(seed: u64) -> Self {
        People { sample: Sample::new(seed), taken: HashSet::new() }
    }

    /// The person of this number. Numbers are asked for in one order, so that who comes second to
    /// an address is always the same one.
    pub(super) fn contact(&mut self, number: u64) -> NewContact {
        let person = self.sample.person(number);
        let email = self.own(person.email, number);
        NewContact {
            addresses: vec![PostalAddress {
                city: Some(person.city.to_owned()),
                ..PostalAddress::default()
            }],
            ..NewContact::named(person.first_name, person.last_name)
                .email(email)
                .phone(person.phone)
                .company(person.company)
        }
    }

    fn own(&mut self, email: String, number: u64) -> String {
        if self.taken.insert(hash(&email)) {
            return email;
        }
        let (name, domain) = email.split_once('@').unwrap_or((&email, "mail.example"));
        let own = format!("{name}.{number}@{domain}");
        self.taken.insert(hash(&own));
        own
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_shares_an_address_and_the_seed_decides() {
        let all = |seed| {
            let mut people = People::new(seed);
            (0..20_000).map(move |number| people.contact(number)).collect::<Vec<_>>()
        };
        let people = all(3);
        let addresses: HashSet<_> =
            people.iter().map(|person| person.emails[0].address.to_lowercase()).collect();
        assert_eq!(addresses.len(), people.len());
        assert_eq!(people, all(3));
        assert_ne!(people, all(4));
    }
}
