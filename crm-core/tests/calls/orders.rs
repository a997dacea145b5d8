//! News of a call in every order, and again.

use crm_core::calls::Placement;

use super::*;

/// What the carrier tells of one call: the last contradicts the one before.
fn told() -> [Progress; 6] {
    [
        step(CallStatus::Queued, 0),
        step(CallStatus::Initiated, 1),
        step(CallStatus::Ringing, 2),
        step(CallStatus::InProgress, 3),
        Progress { duration_seconds: Some(42), ..step(CallStatus::Completed, 4) },
        step(CallStatus::Busy, 4),
    ]
}

/// All orders of 0..6.
fn orders() -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..6 {
        let longer = |order: &Vec<usize>| {
            let left: Vec<usize> = (0..6).filter(|news| !order.contains(news)).collect();
            let order = order.clone();
            left.into_iter().map(move |news| [order.clone(), vec![news]].concat())
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

/// The order, with the news of `subset` (a bit for each) told once more, each at a place after its first
/// time that follows from `seed`.
fn with_repeats(order: &[usize], subset: usize, seed: usize) -> Vec<usize> {
    let mut all = order.to_vec();
    let mut random = seed as u64 + 1;
    for news in (0..6).filter(|news| subset & (1 << news) != 0) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let first = all.iter().position(|told| *told == news).unwrap();
        let places = all.len() - first;
        all.insert(first + 1 + (random >> 33) as usize % places, news);
    }
    all
}

/// Tells a call the news in this order, and holds it against what is promised.
async fn tell_in_order(world: &World, order: &[usize], tokens: bool) {
    let call = world.placed().await;
    let id = call.provider_call_id.clone().unwrap();
    let start = last_position(world).await;
    let told = told();
    let (mut seen, mut ended) = (Vec::new(), false);
    for news in order {
        world.clock.advance(Duration::from_millis(1));
        let token = format!("{id} {news}");
        let token = tokens.then_some(token.as_str());
        world.tell(world.news(&call, &id, token, &told[*news])).await;
        if !seen.contains(news) {
            seen.push(*news);
        }
        let now = world.call(call.id).await;
        assert!(now.status().is_end() || !ended, "{order:?}: the end was left");
        ended = now.status().is_end();
        let events = world.events_after(call.id, start).await;
        assert_eq!(events.len(), seen.len(), "{order:?}: an event for each step, once");
    }
    let now = world.call(call.id).await;
    let sum = told.into_iter().fold(Progress::default(), Progress::join);
    assert_eq!((now.status(), now.placement), (CallStatus::Completed, Placement::Placed));
    assert_eq!(now.progress, sum, "{order:?}");
    assert_eq!(now.version, call.version + 6, "{order:?}");
    let events = world.events_after(call.id, start).await;
    let ends = events.iter().filter(|name| **name == "call.ended").count();
    let updates = events.iter().filter(|name| **name == "call.updated").count();
    assert_eq!((updates, ends), (5, 1), "{order:?}");
}

async fn last_position(world: &World) -> EventPosition {
    let mut position = EventPosition::START;
    loop {
        match world.session.events().after(position, 1000).await.unwrap().last() {
            Some(last) => position = last.position,
            None => return position,
        }
    }
}

/// Tells every order with what `repeats` makes of it, a new world now and then, as a log gets long.
async fn tell_all(repeats: impl Fn(usize, &[usize]) -> Vec<(Vec<usize>, bool)>) {
    let mut world = World::new().await;
    let mut calls = 0;
    for (number, order) in orders().iter().enumerate() {
        for (order, tokens) in repeats(number, order) {
            calls += 1;
            if calls % 100 == 0 {
                world = World::new().await;
            }
            tell_in_order(&world, &order, tokens).await;
        }
    }
    assert!(calls >= 720, "{calls} orders are too few");
}

#[tokio::test]
async fn every_order_of_a_calls_news_ends_alike() {
    tell_all(|number, order| vec![(order.to_vec(), number % 2 == 0)]).await;
}

#[tokio::test]
async fn news_that_are_repeated_change_nothing() {
    let repeats = |number, order: &[usize]| {
        vec![(with_repeats(order, number * 37 % 64, number), number % 2 == 1)]
    };
    tell_all(repeats).await;
}

#[tokio::test]
async fn any_of_the_news_may_be_repeated() {
    let repeats = |number, order: &[usize]| {
        let subsets = if number % 24 == 0 { 0..64 } else { 0..0 };
        subsets.map(|subset| (with_repeats(order, subset, number), subset % 2 == 0)).collect()
    };
    tell_all(repeats).await;
}

#[tokio::test]
#[ignore = "long: 720 orders, each with all 64 subsets told twice"]
async fn long_any_of_the_news_may_be_repeated_in_every_order() {
    let repeats = |number, order: &[usize]| {
        let told = |subset| (with_repeats(order, subset, number), (number + subset) % 2 == 0);
        (0..64).map(told).collect()
    };
    tell_all(repeats).await;
}
