//! What search promises, over the index in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Mutex;

use async_trait::async_trait;
use proptest::prelude::*;
use uuid::Uuid;

use super::memory::MemoryIndex;
use super::*;
use crate::contacts::NewContact;
use crate::{ContactId, Region, Result, TenantScope};

fn id(number: u128) -> ContactId {
    ContactId::from_uuid(Uuid::from_u128(number))
}

fn terms(contact: NewContact) -> ContactTerms {
    let details = contact.validate(Region::US).unwrap();
    ContactTerms::of(Searchable {
        first_name: details.first_name.as_deref(),
        last_name: details.last_name.as_deref(),
        display_name: &details.display_name,
        company: details.company.as_deref(),
        emails: details.emails.iter().map(|email| email.address.as_str()).collect(),
        phones: details
            .phones
            .iter()
            .map(|phone| phone.number.as_ref().map_or(phone.raw.as_str(), |n| n.as_str()))
            .collect(),
    })
}

/// A few people under their position, with the display name for reading.
struct People {
    index: MemoryIndex,
    names: Vec<String>,
}

impl People {
    fn new(contacts: impl IntoIterator<Item = NewContact>) -> Self {
        let mut people = People { index: MemoryIndex::default(), names: Vec::new() };
        for contact in contacts {
            people.names.push(contact.clone().validate(Region::US).unwrap().display_name);
            people.index.insert(id(people.names.len() as u128 - 1), &terms(contact));
        }
        people
    }

    fn known() -> Self {
        let named = NewContact::named;
        People::new([
            named("Ada", "Lovelace").email("ada@analytical.example").phone("+44 20 7946 0958"),
            named("Robert", "Muñoz").email("bob.munoz42@acme-corp.example").phone("(425) 555-0123"),
            named("Jürgen", "Straße").company("Bäckerei Nord GmbH"),
            named("John", "Smith"),
            named("John", "Smith Jones"),
            named("Maria", "van der Berg"),
            named("Seán", "O'Brien"),
            named("小明", "王"),
            named("Иван", "Петров").phone("+7 800 555-35-35"),
            NewContact { phones: vec![], ..named("Katherine", "Johnson") },
            named("Mary Ann", "Lee").email("jsmith@initech.example"),
            named("Elizabeth", "Nguyen"),
        ])
    }

    fn hits(&self, query: &str) -> Vec<Hit> {
        self.hits_within(query, Limits::default())
    }

    fn hits_within(&self, query: &str, limits: Limits) -> Vec<Hit> {
        let query = Query::parse(query, Region::US);
        wait(run(&self.index, &scope(), &query, &Nicknames::common(), limits)).unwrap()
    }

    fn name(&self, hit: &Hit) -> &str {
        &self.names[hit.contact.as_uuid().as_u128() as usize]
    }

    #[track_caller]
    fn finds(&self, query: &str, name: &str) -> f32 {
        let hits = self.hits(query);
        let found: Vec<_> = hits.iter().map(|hit| (self.name(hit), hit.score)).collect();
        assert_eq!(found.first().map(|(name, _)| *name), Some(name), "`{query}` finds {found:?}");
        found[0].1
    }
}

fn scope() -> TenantScope {
    wait(crate::memory::session_for_docs()).unwrap().scope().clone()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn typos_swapped_and_missing_letters_are_forgiven() {
    let people = People::known();
    for query in
        ["lovelace", "lovelaec", "lovlace", "lovelacee", "lavelace", "ada lovlaec", "lvelac"]
    {
        people.finds(query, "Ada Lovelace");
    }
    people.finds("kathrine jonson", "Katherine Johnson");
}

#[test]
fn first_and_last_name_stand_in_any_order() {
    let people = People::known();
    let straight = people.finds("ada lovelace", "Ada Lovelace");
    let swapped = people.finds("Lovelace, Ada", "Ada Lovelace");
    assert_eq!(straight, 1.0);
    assert!(swapped < straight && swapped > 0.98, "{swapped}");
}

#[test]
fn accents_and_letters_of_their_own_do_not_matter() {
    let people = People::known();
    assert_eq!(people.finds("robert munoz", "Robert Muñoz"), 1.0);
    assert!(people.finds("STRASSE jurgen", "Jürgen Straße") > 0.98);
    people.finds("sean obrien", "Seán O'Brien");
    people.finds("o’brien", "Seán O'Brien");
    people.finds("backerei nord", "Jürgen Straße");
}

#[test]
fn nicknames_find_their_bearer() {
    let people = People::known();
    let nick = people.finds("bob munoz", "Robert Muñoz");
    let typo = people.finds("robrt munoz", "Robert Muñoz");
    assert!(nick > typo, "{nick} {typo}");
    people.finds("liz nguyen", "Elizabeth Nguyen");
    people.finds("kate johnson", "Katherine Johnson");
    people.finds("liz", "Elizabeth Nguyen");
    let query = Query::parse("liz", Region::US);
    let none = wait(run(&people.index, &scope(), &query, &Nicknames::none(), Limits::default()));
    assert!(none.unwrap().iter().all(|hit| people.name(hit) != "Elizabeth Nguyen"));
}

#[test]
fn every_beginning_finds_the_name() {
    let people = People::known();
    for end in 2..="lovelace".len() {
        people.finds("lovelace".get(..end).unwrap(), "Ada Lovelace");
    }
    people.finds("eliz ngu", "Elizabeth Nguyen");
    people.finds("j smith", "John Smith");
}

#[test]
fn words_may_be_joined_or_parted() {
    let people = People::known();
    people.finds("vanderberg", "Maria van der Berg");
    people.finds("maryann lee", "Mary Ann Lee");
    people.finds("love lace", "Ada Lovelace");
    people.finds("eliza beth nguyen", "Elizabeth Nguyen");
}

#[test]
fn names_without_spaces_are_found_by_their_parts() {
    let people = People::known();
    for query in ["小明", "王小明", "明", "王"] {
        assert_eq!(people.name(&people.hits(query)[0]), people.names[7], "{query}");
    }
    people.finds("иван петров", "Иван Петров");
    people.finds("петроф", "Иван Петров");
}

#[test]
fn parts_of_an_email_find_its_owner() {
    let people = People::known();
    for query in [
        "bob.munoz42@acme-corp.example",
        "bob.munoz42@ac",
        "munoz42",
        "acme",
        "acme-corp.example",
        "@acme-corp",
        "bob acme",
        "<Bob.Munoz42@ACME-corp.example>",
    ] {
        people.finds(query, "Robert Muñoz");
    }
    people.finds("jsmith", "Mary Ann Lee");
    people.finds("jsmi", "Mary Ann Lee");
    people.finds("ada@analytical.example", "Ada Lovelace");
    // Another domain, the same person.
    people.finds("ada.lovelace@gmail.com", "Ada Lovelace");
}

#[test]
fn a_whole_address_finds_its_owner_before_namesakes() {
    let named = NewContact::named;
    let people = People::new([
        named("Jsmith", "Initech"),
        named("Mary", "Lee").email("jsmith@initech.example"),
    ]);
    people.finds("jsmith@initech.example", "Mary Lee");
}

#[test]
fn a_contact_is_posted_under_its_words_and_their_joints() {
    let contact = NewContact::named("Ana", "van der Berg").email("ana@acme.co.uk").company("3M AG");
    let expected = [
        "=3m",
        "@ana@acme.co.uk",
        "acme",
        "ag",
        "ana",
        "berg",
        "der",
        "derberg",
        "van",
        "vander",
        "vanderberg",
    ];
    assert_eq!(terms(contact).postings(), expected);
    let phone = NewContact::default().phone("+442079460958");
    let expected = ["#859064970244", "+2079460958", "+442079460958"];
    assert_eq!(terms(phone).postings(), expected);
}

#[test]
fn a_phone_number_is_found_in_any_notation() {
    let people = People::known();
    for query in [
        "(425) 555-0123",
        "425.555.0123",
        "+1 425 555 0123",
        "14255550123",
        "001 425 555 0123",
        "555-0123",
        "0123",
        "425555",
        "+1425",
        "tel: 425 555 0123",
    ] {
        people.finds(query, "Robert Muñoz");
    }
    for query in ["020 7946 0958", "0044 20 7946 0958", "+442079460958", "7946 0958"] {
        people.finds(query, "Ada Lovelace");
    }
    people.finds("8 800 555-35-35", "Иван Петров");
    people.finds("munoz 555 0123", "Robert Muñoz");
}

#[test]
fn a_name_that_is_more_ranks_after_the_very_name() {
    let people = People::known();
    let hits = people.hits("john smith");
    assert_eq!(people.name(&hits[0]), "John Smith");
    assert_eq!(people.name(&hits[1]), "John Smith Jones");
    assert!(hits[0].score > hits[1].score && hits[1].score > 0.9);
}

#[test]
fn likeness_is_monotone() {
    let score = |query| People::known().finds(query, "Ada Lovelace");
    let order = ["lovelace", "lovelac", "lovelaec", "lvelaec"].map(score);
    assert!(order.windows(2).all(|pair| pair[0] > pair[1]), "{order:?}");
}

#[test]
fn several_words_narrow() {
    let crowd = (0..40).map(|n| NewContact::named("Maria", ["Silva", "Nguyen"][n % 2]));
    let others = (0..40).map(|_| NewContact::named("Linh", "Nguyen"));
    let people = People::new(crowd.chain(others));
    assert_eq!(people.hits("nguyen").len(), 60);
    let both = people.hits("maria nguyen");
    assert_eq!(both.len(), 20);
    assert!(both.iter().all(|hit| people.name(hit) == "Maria Nguyen"));
}

#[test]
fn a_short_page_is_filled_with_the_nearest_behind_the_matches() {
    let named = NewContact::named;
    let people =
        People::new([named("Tahni", "Murton"), named("Tahni", "Skeen"), named("Bo", "Ek")]);
    let hits = people.hits("tahni skeen");
    assert_eq!(
        hits.iter().map(|hit| people.name(hit)).collect::<Vec<_>>(),
        ["Tahni Skeen", "Tahni Murton"]
    );
    assert!(hits[1].score < 0.7, "{hits:?}");
    let many = (0..300).map(|n| NewContact::named("Tahni", format!("Skee{n}")));
    let people = People::new(many.chain([named("Tahni", "Murton")]));
    let hits = people.hits("tahni murton").len();
    assert!((10..=Limits::default().fill).contains(&hits), "{hits}");
}

#[test]
fn a_host_can_have_matches_only() {
    let named = NewContact::named;
    let people = People::new([named("Tahni", "Murton"), named("Tahni", "Skeen")]);
    let strict = Limits { fill: 0, ..Limits::default() };
    assert_eq!(people.hits_within("tahni skeen", strict).len(), 1);
}

#[test]
fn common_words_together_are_found_among_many() {
    let mut contacts: Vec<NewContact> = (0..3_000)
        .map(|n| match n % 2 {
            0 => NewContact::named("Maria", format!("Rossi{}", ["a", "b", "c"][n % 3])),
            _ => NewContact::named("Paolo", "Nguyen"),
        })
        .collect();
    contacts.push(NewContact::named("Maria", "Nguyen"));
    let people = People::new(contacts);
    assert_eq!(people.finds("maria nguyen", "Maria Nguyen"), 1.0);
    people.finds("marai ngyuen", "Maria Nguyen");
}

#[test]
fn equals_stand_in_the_order_of_their_ids() {
    let people = People::new((0..30).map(|_| NewContact::named("Jo", "Ek")));
    let ids: Vec<ContactId> = people.hits("jo ek").iter().map(|hit| hit.contact).collect();
    assert_eq!(ids.len(), 30);
    assert!(ids.is_sorted());
}

#[test]
fn a_removed_or_changed_contact_is_found_no_more() {
    let mut people = People::known();
    people.index.insert(id(0), &terms(NewContact::named("Augusta", "King")));
    assert!(people.hits("ada lovelace").iter().all(|hit| hit.contact != id(0)));
    assert_eq!(people.hits("augusta king")[0].contact, id(0));
    people.index.remove(id(0));
    assert!(people.hits("augusta king").iter().all(|hit| hit.contact != id(0)));
}

/// Counts what a search asks of its store.
struct Counting<'a>(&'a MemoryIndex, Mutex<(usize, usize, usize)>);

#[async_trait]
impl SearchStore for Counting<'_> {
    async fn find_words(&self, _: &TenantScope, lookup: &WordLookup) -> Result<Vec<String>> {
        let mut counts = self.1.lock().unwrap();
        counts.0 += 1;
        counts.1 += lookup.hashes.len() + lookup.word_prefixes.len() + lookup.term_prefixes.len();
        Ok(self.0.find_words(lookup))
    }

    async fn find_candidates(
        &self,
        _: &TenantScope,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>> {
        let mut counts = self.1.lock().unwrap();
        counts.0 += 1;
        let tiers: Vec<&Tier> = query.stages.iter().flat_map(|stage| &stage.tiers).collect();
        assert!(tiers.iter().all(|tier| tier.groups.iter().all(|group| !group.is_empty())));
        counts.2 += tiers.len();
        Ok(self.0.find_candidates(query))
    }
}

#[test]
fn hostile_queries_are_bounded() {
    let people = People::known();
    let long_words = "abcdefghij".repeat(1_000);
    let many_words = "maria nguyen john smith ".repeat(500);
    let many_numbers = "5550123 ".repeat(2_000);
    for query in [
        "",
        " ",
        "a",
        "*",
        "\"ada",
        "NEAR(ada, 5)",
        "ada* AND NOT -lovelace OR (",
        "%_'; drop table contact; --",
        "🎉🎉🎉",
        "@",
        "@@@",
        "+",
        "\u{0}\u{301}",
        "ß",
        &long_words,
        &many_words,
        &many_numbers,
        &"🎉a".repeat(3_000),
        &"a@".repeat(5_000),
        &"\u{fdfa}".repeat(4_000),
    ] {
        let store = Counting(&people.index, Mutex::default());
        let query = Query::parse(query, Region::US);
        let hits =
            wait(run(&store, &scope(), &query, &Nicknames::common(), Limits::default())).unwrap();
        assert!(hits.len() <= Limits::default().hits);
        let (calls, keys, tiers) = *store.1.lock().unwrap();
        assert!(calls <= 2, "{calls} calls");
        assert!(keys <= 1_000, "{keys} keys");
        assert!(tiers <= 80, "{tiers} tiers");
        assert!(!query.is_empty() || (calls == 0 && hits.is_empty()));
    }
    people.finds("\"ada lovelace\"", "Ada Lovelace");
    people.finds("(ada) AND lovelace", "Ada Lovelace");
}

#[test]
fn a_query_is_cut() {
    let words: Vec<String> = (0..100).map(|n| format!("w{}", "x".repeat(n % 7))).collect();
    let query = Query::parse(&words.join(" "), Region::US);
    assert!(query.readings.iter().all(|tokens| tokens.len() == MAX_TOKENS));
    let far = format!("{}ada", " ".repeat(MAX_QUERY));
    assert!(Query::parse(&far, Region::US).is_empty());
}

#[test]
fn marks_alone_are_no_address() {
    // U+0655, an Arabic mark, counts as alphabetic; folding leaves nothing of it.
    assert!(Query::parse("\u{655}@", Region::US).is_empty());
    assert!(Query::parse("\u{655}@\u{655}.", Region::US).is_empty());
}

#[test]
fn two_letters_beside_each_other_may_be_wrong() {
    assert!(share_a_hash("smith", "sxyth"));
    assert!(!share_a_hash("smith", "jones"));
}

#[test]
fn formal_names_come_first() {
    let table = Nicknames::parse("alba: xan ab\ncora: xan # and others\n: \nalone\n");
    assert_eq!(table.of("xan"), ["alba", "cora", "ab"]);
    assert!(table.of("alone").is_empty());
}

#[test]
fn common_nicknames_cover_common_names() {
    let table = Nicknames::common();
    for (short, formal) in [
        ("bob", "robert"),
        ("bill", "william"),
        ("peggy", "margaret"),
        ("pepe", "jose"),
        ("sasha", "aleksandr"),
        ("jack", "john"),
        ("beppe", "giuseppe"),
        ("sepp", "josef"),
        ("manu", "emmanuel"),
    ] {
        assert!(table.of(short).iter().any(|name| name == formal), "{short}");
        assert!(table.of(formal).iter().any(|name| name == short), "{formal}");
    }
    assert!(table.of("robert").iter().all(|name| name != "robert"));
}

/// A word and up to `most` edits of it.
fn edited(word: &'static str, most: usize) -> impl Strategy<Value = (String, String)> {
    let edit = (0..4_u8, any::<prop::sample::Index>(), "[a-eñж]");
    (word, prop::collection::vec(edit, 0..=most)).prop_map(|(word, edits)| {
        let mut letters: Vec<char> = word.chars().collect();
        for (kind, at, letter) in edits {
            let letter = letter.chars().next().unwrap();
            let at = at.index(letters.len());
            match kind {
                0 => letters.insert(at, letter),
                1 if letters.len() > 1 => drop(letters.remove(at)),
                2 => letters[at] = letter,
                _ if at + 1 < letters.len() => letters.swap(at, at + 1),
                _ => {}
            }
        }
        (word, letters.into_iter().collect())
    })
}

fn share_a_hash(a: &str, b: &str) -> bool {
    let own = neighbourhood(a);
    neighbourhood(b).iter().any(|hash| own.contains(hash))
}

fn person() -> impl Strategy<Value = NewContact> {
    let name = prop::option::of("[A-Za-zéß王小 '\\-0-9]{1,20}");
    let text = prop::option::of("\\PC{1,30}");
    (name.clone(), name, text.clone(), text, "[a-z0-9.]{1,9}", "[0-9+ ()-]{1,18}").prop_map(
        |(first_name, last_name, display_name, company, local, phone)| {
            NewContact { first_name, last_name, display_name, company, ..NewContact::default() }
                .email(format!("x{}@ex.example", local.trim_matches('.').replace("..", ".")))
                .phone(phone)
        },
    )
}

proptest! {
    #[test]
    fn words_within_two_edits_share_a_hash((a, b) in edited("[a-eñж]{4,12}", 2)) {
        prop_assume!(b.chars().count() >= 4 && strsim::osa_distance(&a, &b) <= 2);
        prop_assert!(share_a_hash(&a, &b));
    }

    #[test]
    fn words_within_one_edit_share_a_hash((a, b) in edited("[a-eñж]{2,5}", 1)) {
        prop_assume!(b.chars().count() >= 2 && strsim::osa_distance(&a, &b) <= 1);
        prop_assert!(share_a_hash(&a, &b));
    }

    #[test]
    fn a_neighbourhood_is_small(word in "\\PC{0,60}") {
        let hashes = neighbourhood(&word);
        prop_assert!(hashes.len() <= 29);
        prop_assert!(hashes.is_sorted());
    }

    #[test]
    fn what_was_encoded_decodes_alike(contact in person()) {
        prop_assume!(contact.clone().validate(Region::US).is_ok());
        let terms = terms(contact);
        let decoded = ContactTerms::decode(&terms.encode());
        prop_assert_eq!(&decoded, &terms);
        prop_assert_eq!(decoded.postings(), terms.postings());
        prop_assert!(terms.postings().is_sorted());
    }

    #[test]
    fn any_text_decodes(text in "\\PC*") {
        ContactTerms::decode(&text).postings();
    }

    #[test]
    fn any_query_is_answered_within_bounds(query in "\\PC{0,200}", again in any::<bool>()) {
        let people = People::known();
        let hits = people.hits(&query);
        prop_assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
        let ordered = hits.windows(2).all(|pair| {
            pair[0].score > pair[1].score
                || (pair[0].score == pair[1].score && pair[0].contact < pair[1].contact)
        });
        prop_assert!(ordered);
        if again {
            prop_assert_eq!(people.hits(&query), hits);
        }
    }

    #[test]
    fn everyone_is_found_by_their_own_name(contact in person()) {
        prop_assume!(contact.clone().validate(Region::US).is_ok());
        let name = [contact.first_name.clone(), contact.last_name.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        prop_assume!(name.chars().any(char::is_alphanumeric));
        let mut people = People::known();
        people.index.insert(id(99), &terms(contact));
        let hits = people.hits(&name);
        prop_assert!(hits.iter().any(|hit| hit.contact == id(99)), "`{}` finds {:?}", name, hits);
    }

    #[test]
    fn a_removed_contact_leaves_nothing(contact in person()) {
        prop_assume!(contact.clone().validate(Region::US).is_ok());
        let mut index = MemoryIndex::default();
        index.insert(id(1), &terms(contact));
        index.remove(id(1));
        prop_assert!(index.is_empty());
        prop_assert_eq!(index.terms().count(), 0);
    }
}
