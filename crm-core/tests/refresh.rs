//! Refresh tokens as a state machine: answers that get lost, a thief, and a clock.

#![allow(
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

#[path = "common/clock.rs"]
mod clock;

use std::time::Duration;

use crm_core::identity::{Arrival, ExternalIdentity, Identity, Secret, Tokens};
use crm_core::memory::MemoryStore;
use crm_core::ports::{Clock, Quota};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, ErrorKind, Result, Timestamp};
use proptest::prelude::*;

use clock::TestClock;

const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Step {
    /// The client refreshes; the answer arrives, or is lost on the way.
    Client { lost: bool },
    /// The thief takes a copy of what the client holds.
    Steal,
    /// The thief refreshes.
    Thief { lost: bool },
    /// The thief tries a token that it held before.
    Replay(usize),
    /// Milliseconds pass.
    Wait(u64),
}

fn steps(thief: bool) -> impl Strategy<Value = Vec<Step>> {
    let wait = prop::sample::select(vec![0, 1, 3_000, 9_999, 10_000, 10_001, 3_600_000]);
    let weight = u32::from(thief);
    let step = prop_oneof![
        5 => any::<bool>().prop_map(|lost| Step::Client { lost }),
        4 => wait.prop_map(Step::Wait),
        2 * weight => Just(Step::Steal),
        4 * weight => any::<bool>().prop_map(|lost| Step::Thief { lost }),
        2 * weight => (0..8_usize).prop_map(Step::Replay),
    ];
    prop::collection::vec(step, 1..30)
}

/// One sign-in with everybody who holds a token of it.
struct Play {
    crm: Crm,
    clock: TestClock,
    client: Secret,
    /// Since when an answer to the client is lost.
    lost_at: Option<Timestamp>,
    thief: Option<Secret>,
    stolen: Vec<Secret>,
    /// Every token that anybody was given, each once.
    given: Vec<Secret>,
    /// The newest access token.
    bearer: Secret,
    refused: Vec<ErrorKind>,
}

impl Play {
    async fn new() -> Play {
        let clock = TestClock::default();
        let crm = Crm::builder(MemoryStore::default()).clock(clock.clone()).build().unwrap();
        let new = NewTenant::new("Acme", "ada@acme.example", "US".parse().unwrap());
        let (tenant, _) = crm.system("test").unwrap().create_tenant(new).await.unwrap();
        let ada = ExternalIdentity {
            provider: "example".into(),
            subject: "1".into(),
            email: Some("ada@acme.example".into()),
            email_verified: true,
            name: None,
            authenticated_at: None,
        };
        let slug = tenant.slug.to_string();
        let signed_in = identity(&crm).sign_in_external(&ada, Some(&slug)).await.unwrap();
        let Tokens { access_token: bearer, refresh_token: client, .. } = signed_in.tokens;
        let given = vec![client.clone()];
        let (stolen, refused) = (Vec::new(), Vec::new());
        Play { crm, clock, client, lost_at: None, thief: None, stolen, given, bearer, refused }
    }

    async fn refresh(&mut self, token: &Secret) -> Result<Secret> {
        match identity(&self.crm).refresh(token).await {
            Ok(tokens) => {
                if !self.given.contains(&tokens.refresh_token) {
                    self.given.push(tokens.refresh_token.clone());
                }
                self.bearer = tokens.access_token;
                Ok(tokens.refresh_token)
            }
            Err(error) => {
                self.refused.push(error.kind());
                Err(error)
            }
        }
    }

    async fn client(&mut self, lost: bool) -> Result<()> {
        let token = self.client.clone();
        let next = self.refresh(&token).await?;
        if lost {
            self.lost_at = self.lost_at.or(Some(self.clock.now()));
        } else {
            (self.client, self.lost_at) = (next, None);
        }
        Ok(())
    }

    async fn thief(&mut self, lost: bool) {
        let Some(token) = self.thief.clone() else { return };
        if let Ok(next) = self.refresh(&token).await
            && !lost
        {
            self.stolen.push(next.clone());
            self.thief = Some(next);
        }
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Client { lost } => self.client(*lost).await?,
            Step::Steal => {
                self.stolen.push(self.client.clone());
                self.thief = Some(self.client.clone());
            }
            Step::Thief { lost } => self.thief(*lost).await,
            Step::Replay(nth) => {
                if let Some(token) = self.stolen.get(nth % self.stolen.len().max(1)).cloned() {
                    let _ = self.refresh(&token).await;
                }
            }
            Step::Wait(millis) => {
                let by = Duration::from_millis(*millis);
                // An honest client repeats in time what got no answer.
                if let Some(lost_at) = self.lost_at
                    && self.clock.now().after(by).since(lost_at) >= GRACE
                {
                    self.client(false).await?;
                }
                self.clock.advance(by);
            }
        }
        Ok(())
    }

    /// Whether the newest access token still lets somebody in.
    async fn is_alive(&self) -> bool {
        identity(&self.crm).authenticate(self.bearer.reveal()).await.is_ok()
    }
}

fn identity(crm: &Crm) -> Identity {
    let request_id = crm.new_request_id().unwrap();
    crm.identity(Arrival { request_id, address: None, user_agent: None })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    futures::executor::block_on(work)
}

/// A play of these steps, whatever comes of them.
async fn played(steps: &[Step]) -> Play {
    let mut play = Play::new().await;
    for step in steps {
        let _ = play.step(step).await;
    }
    play
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn lost_answers_sign_nobody_out(steps in steps(false)) {
        block_on(async {
            let mut play = Play::new().await;
            for step in &steps {
                play.step(step).await.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            }
            // The last answer that was lost is asked for again.
            prop_assert!(play.client(false).await.is_ok());
            prop_assert!(play.is_alive().await);
            Ok(())
        })?;
    }

    #[test]
    fn never_two_leaves_are_live(steps in steps(true)) {
        block_on(async {
            let tokens = played(&steps).await.given.len();
            let mut live = 0;
            for nth in 0..tokens {
                let mut play = played(&steps).await;
                play.clock.advance(GRACE);
                let token = play.given[nth].clone();
                live += usize::from(play.refresh(&token).await.is_ok());
            }
            prop_assert!(live <= 1, "{live} tokens of {tokens} can be used");
            Ok(())
        })?;
    }

    #[test]
    fn no_thief_survives_when_both_have_acted(steps in steps(true)) {
        block_on(async {
            let mut play = played(&steps).await;
            if play.thief.is_none() {
                return Ok(());
            }
            // Each acts beyond the other's grace; they may begin with the same token.
            for _ in 0..2 {
                play.clock.advance(GRACE);
                let _ = play.client(false).await;
                play.clock.advance(GRACE);
                play.thief(false).await;
            }
            prop_assert!(play.refused.contains(&ErrorKind::TokenReused), "{:?}", play.refused);
            prop_assert!(!play.is_alive().await, "the access token still lets somebody in");
            for token in play.given.clone() {
                let kind = play.refresh(&token).await.unwrap_err().kind();
                prop_assert_eq!(kind, ErrorKind::Unauthenticated);
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_token_gives_one_successor_for_ten_seconds_and_then_ends_the_sign_in() {
    block_on(async {
        for (wait, kind) in
            [(GRACE - Duration::from_micros(1), None), (GRACE, Some(ErrorKind::TokenReused))]
        {
            let mut play = Play::new().await;
            let first = play.client.clone();
            let next = play.refresh(&first).await.unwrap();
            play.clock.advance(wait);
            let again = play.refresh(&first).await;
            match kind {
                None => assert_eq!(again.unwrap(), next),
                Some(kind) => assert_eq!(again.unwrap_err().kind(), kind),
            }
            assert_eq!(play.is_alive().await, kind.is_none());
        }
        // Once the successor was used, the grace is over.
        let mut play = Play::new().await;
        let first = play.client.clone();
        let next = play.refresh(&first).await.unwrap();
        play.refresh(&next).await.unwrap();
        assert_eq!(play.refresh(&first).await.unwrap_err().kind(), ErrorKind::TokenReused);
    });
}

/// The ids of a tenant and of a sign-in are no secrets.
#[test]
fn a_made_up_token_ends_nothing() {
    block_on(async {
        let mut play = Play::new().await;
        let (before, family) = play.client.reveal().rsplit_once('.').unwrap();
        // 16 + 16 bytes of ids end within the 43rd digit; what follows is secret.
        let ids = &before[..5 + 43];
        let made_up = format!("{ids}{}.{family}", "A".repeat(before.len() - ids.len()));
        let without_family =
            format!("{ids}{}.{}", "A".repeat(before.len() - ids.len()), "A".repeat(22));
        let nobodys = Secret::from(format!("{before}.{}", "A".repeat(22)));
        for stranger in
            [Secret::from(without_family), nobodys, "".into(), "crmr_".into(), before.into()]
        {
            let kind = play.refresh(&stranger).await.unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Unauthenticated);
            assert!(play.is_alive().await);
        }
        // Who knows what the family shares has had one of its tokens.
        let kind = play.refresh(&made_up.into()).await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::TokenReused);
        assert!(!play.is_alive().await);
    });
}

#[test]
fn tokens_that_nobody_was_given_are_counted_against_their_address() {
    block_on(async {
        let play = Play::new().await;
        let policy = play.crm.policy().clone();
        let Quota { burst, .. } = policy.per_address;
        let from = || {
            let request_id = play.crm.new_request_id().unwrap();
            let address = Some("192.0.2.1".to_owned());
            play.crm.identity(Arrival { request_id, address, user_agent: None })
        };
        for _ in 0..burst {
            let kind = from().refresh(&"crmr_x".into()).await.unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Unauthenticated);
        }
        let kind = from().refresh(&"crmr_x".into()).await.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::RateLimited);
        // Who comes with a good one is not.
        from().refresh(&play.client).await.unwrap();
    });
}
