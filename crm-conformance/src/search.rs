//! Search, as far as a store takes part in it.

use crm_core::contacts::search::{CandidateQuery, Stage, Tier, WordLookup, neighbourhood};
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::{ContactId, Patch, Session};

use crate::case::cases;
use crate::env::{ALL, Env, plan_all, search};

async fn words(env: &Env, session: &Session, lookup: WordLookup) -> Vec<String> {
    let mut found = env.store.find_words(session.scope(), &lookup).await.unwrap();
    let count = found.len();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), count, "each word once");
    found
}

fn tier(groups: &[&[&str]]) -> Tier {
    let group = |group: &&[&str]| group.iter().map(|term| (*term).to_owned()).collect();
    Tier {
        groups: groups.iter().map(group).collect(),
        count: ALL,
        limit: ALL,
        limit_per_term: ALL,
        examine: ALL,
    }
}

async fn candidates(env: &Env, session: &Session, tiers: Vec<Tier>) -> Vec<ContactId> {
    staged(env, session, vec![Stage { unless_found: ALL, tiers }]).await
}

async fn staged(env: &Env, session: &Session, stages: Vec<Stage>) -> Vec<ContactId> {
    let query = CandidateQuery { stages };
    let found = env.store.find_candidates(session.scope(), &query).await.unwrap();
    found.into_iter().map(|candidate| candidate.contact).collect()
}

cases! {
    async fn search_is_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let new = || NewContact::named("Ada", "Lovelace").email("ada@analytical.example");
        let ada = acme.contacts().create(new()).await.unwrap();
        let lookup = || WordLookup {
            hashes: neighbourhood("lovelace"),
            word_prefixes: vec!["love".into()],
            term_prefixes: Vec::new(),
            most: ALL,
        };
        assert_eq!(words(env, &acme, lookup()).await, ["lovelace"]);
        assert_eq!(words(env, &other, lookup()).await, [""; 0]);
        let tiers = || vec![tier(&[&["lovelace"]])];
        assert_eq!(candidates(env, &other, tiers()).await, []);
        for text in ["ada", "lovelaec", "ada@analytical.example", "analytical"] {
            assert_eq!(search(&acme, text).await, [ada.id], "{text}");
            assert_eq!(search(&other, text).await, [], "{text}");
        }
        let namesake = other.contacts().create(new()).await.unwrap();
        assert_eq!(candidates(env, &other, tiers()).await, [namesake.id]);
        acme.contacts().delete(ada.id, None).await.unwrap();
        assert_eq!(search(&acme, "lovelace").await, []);
        assert_eq!(search(&other, "lovelace").await, [namesake.id]);
    }

    async fn search_follows_every_change(env: &Env) {
        let session = env.tenant("acme").await;
        let contacts = session.contacts();
        let new = NewContact::named("Ada", "Byron").email("ada@old.example").company("Babbage");
        let ada = contacts.create(new).await.unwrap();
        let mary = contacts.create(NewContact::named("Mary", "Byron")).await.unwrap();
        let with = async |term: &str| candidates(env, &session, vec![tier(&[&[term]])]).await;
        assert_eq!(search(&session, "ada byron").await[0], ada.id);
        assert_eq!(search(&session, "mary byron").await[0], mary.id);
        assert_eq!(with("byron").await, [ada.id, mary.id]);
        assert_eq!(with("babbage").await, [ada.id]);

        let patch = ContactPatch {
            last_name: Patch::Set("Lovelace".into()),
            company: Patch::Clear,
            ..ContactPatch::default()
        };
        contacts.update(ada.id, patch, None).await.unwrap();
        assert_eq!(search(&session, "lovelace").await, [ada.id], "the new name");
        assert_eq!(with("lovelace").await, [ada.id]);
        assert_eq!(with("byron").await, [mary.id], "not the old one");
        assert_eq!(with("babbage").await, []);
        // A change of what is not searched keeps what is.
        let patch = ContactPatch { title: Patch::Set("Countess".into()), ..Default::default() };
        contacts.update(ada.id, patch, None).await.unwrap();
        assert_eq!(search(&session, "lovelace").await, [ada.id]);

        contacts.delete(ada.id, None).await.unwrap();
        assert_eq!(search(&session, "lovelace").await, [], "deleted");
        assert_eq!(with("lovelace").await, []);
        contacts.restore(ada.id).await.unwrap();
        assert_eq!(search(&session, "lovelaec").await, [ada.id], "restored");
        assert_eq!(with("lovelace").await, [ada.id]);
        assert_eq!(search(&session, "ada@old.example").await[0], ada.id);
    }

    async fn words_are_found_by_bytes(env: &Env) {
        let session = env.tenant("acme").await;
        // `_` and `%` mean something to a database, and each of these sorts after its prefix only
        // when text is compared by its bytes.
        let names = ["zeta", "zetb", "zet", "Zürich", "zz", "zet\u{10348}", "zet\u{ffee}", "株式会社"];
        for name in names {
            session.contacts().create(NewContact::named(name, "Q")).await.unwrap();
        }
        let prefix = |prefix: &str, most| WordLookup {
            word_prefixes: vec![prefix.to_owned()],
            most,
            ..WordLookup::default()
        };
        let all = words(env, &session, prefix("ze", ALL)).await;
        assert!(all.iter().all(|word| word.starts_with("ze")), "{all:?}");
        for word in ["zet", "zeta", "zetb"] {
            assert!(all.iter().any(|found| found == word), "`{word}` is in {all:?}");
        }
        for most in 1..all.len() {
            let first = words(env, &session, prefix("ze", most)).await;
            assert_eq!(first, all[..most], "the first {most} by bytes");
        }
        for hostile in ["z_", "z%", "ze\u{10ffff}", "*", "\""] {
            assert_eq!(words(env, &session, prefix(hostile, ALL)).await, [""; 0], "{hostile:?}");
        }
        for word in ["zeta", "zurich"] {
            let lookup = WordLookup {
                hashes: neighbourhood(word),
                most: ALL,
                ..WordLookup::default()
            };
            let near = words(env, &session, lookup).await;
            assert!(near.iter().any(|found| found == word), "`{word}` is in {near:?}");
        }
        assert_eq!(words(env, &session, WordLookup::default()).await, [""; 0]);
    }

    async fn candidates_come_in_tiers(env: &Env) {
        let session = env.tenant("acme").await;
        let people = [
            ("Ada", "Stone"), ("Ada", "Rivers"), ("Bea", "Stone"), ("Bea", "Rivers"),
            ("Cai", "Stone"), ("Ada", "Woods"),
        ];
        let people = people.map(|(first, last)| NewContact::named(first, last));
        let (made, changes) = plan_all(&session, people).await;
        env.store.commit(changes).await.unwrap();
        let id = |at: usize| made[at].id;
        let run = async |tiers: &[Tier]| candidates(env, &session, tiers.to_vec()).await;

        let both = tier(&[&["ada"], &["stone"]]);
        assert_eq!(run(std::slice::from_ref(&both)).await, [id(0)], "every group");
        let either = tier(&[&["rivers", "stone"], &["bea", "ada", "cai"]]);
        let found = run(std::slice::from_ref(&either)).await;
        assert_eq!(found, [1, 3, 0, 2, 4].map(id), "by place in the group, then by id");
        let stone = tier(&[&["stone"]]);
        let two = Tier { limit: 2, ..stone.clone() };
        assert_eq!(run(std::slice::from_ref(&two)).await, [id(0), id(2)]);
        let groups = tier(&[&["stone", "ada"], &["cai", "ada", "bea"]]);
        let seen = Tier { examine: 2, ..groups.clone() };
        assert_eq!(run(&[seen]).await, [id(0), id(2)], "no more is examined");
        let mixed = Tier { limit_per_term: 2, ..groups };
        assert_eq!(run(&[mixed]).await, [0, 2, 1, 5].map(id), "two of each term");
        let found = run(&[two.clone(), stone.clone()]).await;
        assert_eq!(found, [0, 2, 4].map(id), "each contact once");

        let stage = |unless_found, tier: &Tier| Stage { unless_found, tiers: vec![tier.clone()] };
        let woods = stage(2, &tier(&[&["woods"]]));
        let found = staged(env, &session, vec![stage(1, &two), woods.clone()]).await;
        assert_eq!(found, [id(0), id(2)], "enough is found");
        let found = staged(env, &session, vec![stage(1, &both), woods]).await;
        assert_eq!(found, [id(0), id(5)], "not enough is found");
        assert_eq!(run(&[tier(&[&["stone"], &["nobody"]])]).await, []);
        assert_eq!(run(&[]).await, []);
    }

    async fn search_terms_are_kept_as_given(env: &Env) {
        let session = env.tenant("acme").await;
        let new = NewContact::named("Zoë 🦀", "O'Hara").email("zoë@bücher.example")
            .phone("+1 425 555 0123").company("Ärzte & Söhne");
        let zoe = session.contacts().create(new).await.unwrap();
        let tiers = vec![tier(&[&["zoe"]])];
        let query = CandidateQuery { stages: vec![Stage { unless_found: 1, tiers }] };
        let found = env.store.find_candidates(session.scope(), &query).await.unwrap();
        assert_eq!(found.len(), 1);
        let terms = crm_core::contacts::search::ContactTerms::of(&zoe);
        assert_eq!(found[0].terms, terms.encode());
        for posting in terms.postings() {
            let own = [posting.as_str()];
            let found = candidates(env, &session, vec![tier(&[&own])]).await;
            assert_eq!(found, [zoe.id], "{posting:?}");
        }
    }
}
