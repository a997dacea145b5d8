//! From a query to ranked contacts.

use super::neighbourhood::within;
use super::nicknames::Nicknames;
use super::query::{Query, Token, address_start};
use super::score::{
    ACCEPTED, ALIKE, Asked, JOINED, PARTED, SAME, Score, Wanted, less, score, stem,
};
use super::store::{Candidate, CandidateQuery, SearchStore, Stage, Tier, WordLookup};
use super::terms::{CODE, ContactTerms, Term, marked};
use crate::error::Result;
use crate::id::ContactId;
use crate::scope::TenantScope;

/// A contact that answers a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Identifies the contact.
    pub contact: ContactId,
    /// From 0 to 1, where 1 is the very name.
    pub score: f32,
}

/// How much a search may cost, whatever the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Hits returned at most.
    pub hits: usize,
    /// Up to how many hits contacts that lack a word, or only come near it, are returned.
    pub fill: usize,
    /// Words that one look-up key brings at most.
    pub words: usize,
    /// Contacts that one attempt brings at most.
    pub candidates: usize,
    /// Contacts that one attempt brings at most which is for those that lack a word or come near.
    pub near: usize,
    /// Postings that one attempt reads at most.
    pub examine: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { hits: 200, fill: 20, words: 256, candidates: 200, near: 60, examine: 4_000 }
    }
}

/// Tokens that a look-up considers together. Queries of more are long enough to be found by the longest
/// ones, with fewer typos in each; all of them rank.
const FORGIVING_TOKENS: usize = 4;
/// Terms that a token can mean at most.
const MAX_ALTERNATIVES: usize = 200;
/// Letters that a token needs to narrow the look-up; what is shorter only ranks.
const NARROWING: usize = 3;
/// Hits below this score say nothing.
const MIN_SCORE: f32 = 0.1;

/// The contacts that answer `query`, best first, equals by id; at most [`Limits::hits`].
///
/// Several words narrow: where [`Limits::fill`] contacts have every word beyond doubt, only those are
/// returned. Where fewer do, they are followed by the nearest of the others up to that number. An empty
/// query has no hits.
///
/// # Errors
///
/// Those of the store.
pub async fn run(
    store: &dyn SearchStore,
    scope: &TenantScope,
    query: &Query,
    nicknames: &Nicknames,
    limits: Limits,
) -> Result<Vec<Hit>> {
    if query.is_empty() || limits.hits == 0 {
        return Ok(Vec::new());
    }
    let mut plans: Vec<Plan> =
        query.readings.iter().map(|tokens| Plan::new(tokens, nicknames)).collect();
    let words = store.find_words(scope, &lookup(&plans, limits)).await?;
    for plan in &mut plans {
        plan.learn(&words);
    }
    let exact = plans.iter().filter_map(|plan| plan.exact_tier(limits)).collect();
    let full = plans.iter().flat_map(|plan| plan.full_tiers(limits)).collect();
    let near = plans.iter().flat_map(|plan| plan.near_tiers(limits));
    let partial = plans.iter().flat_map(|plan| plan.partial_tiers(limits));
    let stages = vec![
        Stage { unless_found: limits.candidates, tiers: exact },
        Stage { unless_found: limits.candidates, tiers: full },
        Stage { unless_found: limits.fill, tiers: near.chain(partial).collect() },
    ];
    if stages.iter().all(|stage| stage.tiers.is_empty()) {
        return Ok(Vec::new());
    }
    let found = store.find_candidates(scope, &CandidateQuery { stages }).await?;
    Ok(rank(&plans, &found, limits))
}

fn rank(plans: &[Plan], found: &[Candidate], limits: Limits) -> Vec<Hit> {
    let asked: Vec<Vec<Asked<'_>>> = plans.iter().map(Plan::asked).collect();
    let mut hits: Vec<(bool, Hit)> = found
        .iter()
        .filter_map(|candidate| {
            let terms = ContactTerms::decode(&candidate.terms).terms();
            let best = best_score(&asked, &terms);
            let hit = Hit { contact: candidate.contact, score: best.value };
            (hit.score >= MIN_SCORE).then_some((best.good, hit))
        })
        .collect();
    hits.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score).then(a.contact.cmp(&b.contact)));
    let good = hits.iter().filter(|(good, _)| *good).count();
    let mut room = limits.fill.saturating_sub(good);
    hits.retain(|(good, _)| {
        let keep = *good || room > 0;
        room -= usize::from(keep && !good);
        keep
    });
    hits.into_iter().map(|(_, hit)| hit).take(limits.hits).collect()
}

/// One reading of the query with the terms that each token could mean.
struct Plan {
    /// The tokens, then the pairs of neighbours written as one.
    wanted: Vec<Wanted>,
    /// For each of `wanted` the terms it could mean with their similarity, best first.
    alternatives: Vec<Vec<(f32, String)>>,
    /// Which of `wanted` make up the query: the tokens, or all but two with their pair.
    segmentations: Vec<Vec<usize>>,
}

impl Plan {
    fn new(tokens: &[Token], nicknames: &Nicknames) -> Self {
        let mut wanted: Vec<Wanted> = tokens
            .iter()
            .map(|token| {
                let names = match token {
                    Token::Word { text, .. } => nicknames.of(text),
                    Token::Code(_) | Token::Address(_) | Token::Phone(_) => &[],
                };
                Wanted::new(token.clone(), names)
            })
            .collect();
        let mut segmentations = vec![(0..tokens.len()).collect::<Vec<_>>()];
        let pairs = if tokens.len() <= FORGIVING_TOKENS { tokens } else { &[] };
        for (at, pair) in pairs.windows(2).enumerate() {
            let [Token::Word { text: first, .. }, Token::Word { text: second, ends }] = pair else {
                continue;
            };
            let text = format!("{first}{second}");
            if text.chars().count() > crate::text::MAX_WORD {
                continue;
            }
            let joined = wanted.len();
            wanted.push(Wanted::new(Token::Word { text, ends: *ends }, &[]));
            segmentations.push(
                (0..tokens.len())
                    .filter(|token| *token != at + 1)
                    .map(|token| if token == at { joined } else { token })
                    .collect(),
            );
        }
        Plan { wanted, alternatives: Vec::new(), segmentations }
    }

    fn tokens(&self) -> usize {
        self.segmentations.first().map_or(0, Vec::len)
    }

    /// Takes from the store's words what each token could mean; forgets pairs that mean nothing.
    fn learn(&mut self, words: &[String]) {
        self.alternatives = self
            .wanted
            .iter()
            .map(|wanted| {
                let mut found: Vec<(f32, String)> = words
                    .iter()
                    .map(|word| (wanted.similarity(word), word))
                    .filter(|(value, _)| *value >= ALIKE)
                    .map(|(value, word)| (value, word.clone()))
                    .collect();
                for name in &wanted.nicknames {
                    if !found.iter().any(|(_, word)| word == name) {
                        found.push((wanted.similarity(name), name.clone()));
                    }
                }
                found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
                // Words that only begin like a short token must not crowd out its misspellings.
                let mut beginnings = 0;
                found.retain(|(value, _)| {
                    beginnings += usize::from((SAME..1.0).contains(value));
                    *value < SAME || *value >= 1.0 || beginnings <= MAX_ALTERNATIVES / 2
                });
                found.truncate(MAX_ALTERNATIVES);
                found
            })
            .collect();
        let tokens = self.tokens();
        let alternatives = &self.alternatives;
        self.segmentations.retain(|segmentation| {
            segmentation.iter().all(|at| {
                let best = alternatives.get(*at).and_then(|found| found.first());
                *at < tokens || best.is_some_and(|(value, _)| *value >= ACCEPTED)
            })
        });
    }

    /// Whether a token has a term that is as near as `least`.
    fn means(&self, at: usize, least: f32) -> bool {
        let best = self.alternatives.get(at).and_then(|found| found.first());
        best.is_some_and(|(value, _)| *value >= least)
    }

    fn group(&self, at: usize, least: f32) -> Vec<String> {
        let found = self.alternatives.get(at).map_or(&[][..], Vec::as_slice);
        found.iter().filter(|(value, _)| *value >= least).map(|(_, word)| word.clone()).collect()
    }

    /// The tokens of a segmentation that narrow the look-up: the longest, unless all are short.
    fn narrowing(&self, segmentation: &[usize]) -> Vec<usize> {
        let length = |at: usize| self.wanted.get(at).map_or(0, Wanted::length);
        let longest = segmentation.iter().map(|at| length(*at)).max().unwrap_or(0);
        let mut tokens: Vec<usize> = segmentation
            .iter()
            .copied()
            .filter(|at| longest < NARROWING || length(*at) >= NARROWING)
            .collect();
        tokens.sort_by_key(|at| std::cmp::Reverse(length(*at)));
        tokens.truncate(if longest < NARROWING { 2 } else { FORGIVING_TOKENS });
        tokens
    }

    /// The contacts that have every token as it was typed, or a nickname.
    fn exact_tier(&self, limits: Limits) -> Option<Tier> {
        let tokens: Vec<usize> = (0..self.tokens()).collect();
        let complete = tokens.iter().all(|at| self.means(*at, SAME));
        let groups: Vec<_> =
            self.narrowing(&tokens).into_iter().map(|at| self.group(at, SAME)).collect();
        (complete && !groups.is_empty()).then(|| Tier {
            limit_per_term: limits.candidates,
            ..tier(groups, limits, limits.candidates)
        })
    }

    /// The contacts that have every token in some form.
    fn full_tiers(&self, limits: Limits) -> Vec<Tier> {
        let complete = |segmentation: &&Vec<usize>| {
            !segmentation.is_empty() && segmentation.iter().all(|at| self.means(*at, ACCEPTED))
        };
        let groups = |segmentation: &Vec<usize>| {
            self.narrowing(segmentation).into_iter().map(|at| self.group(at, ACCEPTED)).collect()
        };
        self.segmentations
            .iter()
            .filter(complete)
            .map(|segmentation| tier(groups(segmentation), limits, limits.candidates))
            .collect()
    }

    /// The contacts that have one token and something like each other one.
    fn near_tiers(&self, limits: Limits) -> Vec<Tier> {
        let tokens = 0..self.tokens();
        if !(2..=FORGIVING_TOKENS).contains(&tokens.len()) {
            return Vec::new();
        }
        tokens
            .clone()
            .map(|sure| {
                tokens
                    .clone()
                    .map(|at| self.group(at, if at == sure { ACCEPTED } else { ALIKE }))
                    .collect::<Vec<_>>()
            })
            .filter(|groups| groups.iter().all(|group| !group.is_empty()))
            .map(|groups| Tier { examine: limits.examine / 4, ..tier(groups, limits, limits.near) })
            .collect()
    }

    /// The contacts that have any of the tokens.
    fn partial_tiers(&self, limits: Limits) -> Vec<Tier> {
        let mut order: Vec<usize> = (0..self.wanted.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(self.wanted.get(*at).map_or(0, Wanted::length)));
        order
            .into_iter()
            .map(|at| self.group(at, ACCEPTED))
            .filter(|group| !group.is_empty())
            .take(FORGIVING_TOKENS + 1)
            .map(|group| tier(vec![group], limits, limits.near))
            .collect()
    }

    /// The ways to read the query, to be scored.
    fn asked(&self) -> Vec<Asked<'_>> {
        let wanted = |segmentation: &Vec<usize>| {
            Asked::new(segmentation.iter().filter_map(|at| self.wanted.get(*at)).collect())
        };
        self.segmentations.iter().map(wanted).collect()
    }
}

fn best_score(plans: &[Vec<Asked<'_>>], terms: &[Term]) -> Score {
    let mut best = Score { value: 0.0, good: false };
    for (reading, plan) in plans.iter().enumerate() {
        let tokens = plan.first().map_or(0, Asked::len);
        let parted = if reading > 0 { PARTED } else { 0.0 };
        for asked in plan {
            let joined = if asked.len() < tokens { JOINED } else { 0.0 };
            let found = less(score(asked, terms), parted + joined);
            if found.value > best.value {
                best = found;
            }
        }
    }
    best
}

fn tier(groups: Vec<Vec<String>>, limits: Limits, limit: usize) -> Tier {
    Tier { groups, count: 1_024, limit, limit_per_term: limit / 4, examine: limits.examine }
}

fn lookup(plans: &[Plan], limits: Limits) -> WordLookup {
    let mut lookup = WordLookup { most: limits.words, ..WordLookup::default() };
    for plan in plans {
        for (at, wanted) in plan.wanted.iter().enumerate() {
            let is_pair = at >= plan.tokens();
            match &wanted.token {
                Token::Word { text, .. } => {
                    let forgiving = !is_pair && plan.tokens() <= FORGIVING_TOKENS;
                    lookup.hashes.extend(within(text, if forgiving { 2 } else { 1 }));
                    lookup.word_prefixes.push(text.clone());
                    if !is_pair || plan.tokens() == 2 {
                        lookup.term_prefixes.push(format!("{CODE}{text}"));
                    }
                }
                Token::Code(code) => {
                    lookup.term_prefixes.push(marked(code));
                    if !stem(code).is_empty() && stem(code).chars().all(char::is_alphabetic) {
                        lookup.hashes.extend(within(stem(code), 0));
                    }
                }
                Token::Address(address) => lookup.term_prefixes.push(address_start(address)),
                Token::Phone(phone) => lookup.term_prefixes.extend(phone.starts.iter().cloned()),
            }
        }
    }
    for keys in [&mut lookup.word_prefixes, &mut lookup.term_prefixes] {
        keys.sort_unstable();
        keys.dedup();
    }
    lookup.hashes.sort_unstable();
    lookup.hashes.dedup();
    lookup
}
