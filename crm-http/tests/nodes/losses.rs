//! Nodes are killed, Redis is killed, frozen and flushed, clients come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::client::{Random, follow};
use crate::deployment::{Deployment, table, write};

async fn lose_nothing(clients: u64, rounds: u64) {
    let mut deployment = Deployment::start(2);
    let session = deployment.session().await;
    let (end, ends) = watch::channel(None);
    let followers: Vec<_> = (1..=clients)
        .map(|seed| {
            let (addresses, token) = (deployment.addresses.clone(), deployment.token.clone());
            let random = Random(seed * 0x9e37_79b9_7f4a_7c15);
            tokio::spawn(follow(addresses, token, random, ends.clone()))
        })
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (addresses, token) = (deployment.addresses.clone(), deployment.token.clone());
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut written = 0;
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let address = addresses.lock().unwrap().get(number % 2).cloned();
                    let name = format!("{writer}-{number}");
                    if let Some(address) = address
                        && write(&address, &token, &name).await
                    {
                        written += 1;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                written
            })
        })
        .collect();
    let breath = || tokio::time::sleep(Duration::from_millis(600));
    let mut random = Random(0x5eed);
    for round in 0..rounds {
        breath().await;
        match round % 5 {
            0 => {
                let node = random.below(2) as usize;
                deployment.kill(node);
                breath().await;
                deployment.restart(node);
            }
            1 => {
                deployment.redis.kill();
                breath().await;
                deployment.redis.restart();
            }
            2 => {
                deployment.redis.signal("STOP");
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                deployment.redis.signal("CONT");
            }
            3 => deployment.redis.flush(),
            _ => {
                deployment.kill(0);
                deployment.kill(1);
                deployment.restart(1);
                deployment.restart(0);
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    assert!(written > 50 * rounds, "only {written} events: nothing was at stake");
    let all = table(&session).await;
    end.send(Some(all.last().unwrap().1.clone())).unwrap();
    let (mut connections, mut again) = (0, 0);
    for follower in followers {
        let log = follower.await.unwrap();
        assert_eq!(log.resets, 0, "every gap could be filled");
        let expected: Vec<_> =
            all.iter().filter(|(position, _)| *position > log.from).cloned().collect();
        let mut told = log.events;
        again += told.len();
        told.dedup();
        assert!(told.is_sorted(), "out of order");
        assert_eq!(told.len(), expected.len());
        assert_eq!(told, expected);
        again -= expected.len();
        connections += log.connections;
    }
    eprintln!(
        "{clients} clients over {connections} connections were told {} events; {again} came twice",
        all.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_lose_nothing() {
    lose_nothing(40, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 500 clients"]
async fn long_clients_lose_nothing() {
    lose_nothing(500, 40).await;
}
