//! How fast the history is asked: as fast as AWS takes it, and never faster.

use std::sync::Arc;

use chrono::TimeDelta;
use irp::adapters::aws::{AwsCloud, AwsSettings, StaticKey};
use irp::config::Account;
use irp_sandbox::aws::Outcome;

use super::search::{ACCOUNT, engine, found, identified};
use crate::world::World;

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
/// In percent of the permitted rate. A busy machine holds a lookup up now and then, and that is not caught up with: over all
/// of them there is room for it. The goal is asked of the best few in a row: some of these are held up by nothing but the
/// bot, whose own pace is in all of them.
const PACE_MIN: i64 = 85;
const BEST_MIN: i64 = 95;
const IN_A_ROW: usize = 6;

/// At what percentage of the permitted rate a Region was asked.
#[derive(Debug)]
struct Pace {
    _region: &'static str,
    whole: i64,
    best: i64,
}

/// So many lookups may follow a first one in no less than half a second each.
fn percent(following: usize, took: TimeDelta) -> i64 {
    i64::try_from(following).unwrap() * 500 * 100 / took.num_milliseconds()
}

async fn paces() -> [Pace; 3] {
    let w = World::without_bot(false).await;
    let stolen = w.account.access_keys("deploy-bot")[0].clone();
    for region in REGIONS {
        let config = w.sdk(&stolen).to_builder().region(aws_config::Region::new(region)).build();
        let sts = aws_sdk_sts::Client::new(&config);
        for _ in 0..12 {
            let calls = (0..50).map(|_| sts.get_caller_identity().send());
            assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
        }
    }
    w.clock.advance(TimeDelta::minutes(6));
    let key = w.account.principal_credentials("irp-bot").unwrap();
    let cloud = AwsCloud::new(AwsSettings {
        endpoint_url: Some(w.aws_url.clone()),
        accounts: vec![Account {
            id: ACCOUNT.parse().unwrap(),
            name: "sandbox".into(),
            reader_role_arn: Some("arn:aws:iam::111122223333:role/irp-reader".into()),
            contain_role_arn: None,
            eradicate_role_arn: None,
            regions: Some(REGIONS[1..].iter().map(ToString::to_string).collect()),
            athena: None,
        }],
        organization: None,
        credentials: Some(StaticKey {
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key.into(),
        }),
    });
    let engine = engine(Arc::default(), Arc::new(cloud.await), &w.clock);
    let id = identified(&engine, &stolen.access_key_id, &w.clock).await;
    engine.hunt(id).await.unwrap();
    assert!(found(&engine, id).await.events_read >= 1_800);
    let lookups: Vec<_> = w.account.calls().into_iter().filter(|call| call.operation == "LookupEvents").collect();
    assert!(lookups.iter().all(|call| call.outcome == Outcome::Ok), "one was too fast");
    // Each Region for itself, from its first lookup to its last while the stolen key is asked about.
    let pace = |region: &'static str| {
        let of_region: Vec<_> = lookups.iter().filter(|call| call.region == region).collect();
        let first_round =
            of_region.iter().filter(|call| call.params["LookupAttributes"].contains(&stolen.access_key_id));
        let pages: Vec<_> = first_round.collect();
        assert!(pages.len() >= 12, "{region}: {}", pages.len());
        let (from, until) = (pages[0].at, pages[pages.len() - 1].at);
        let mut asked_at: Vec<_> = of_region.iter().map(|call| call.at).collect();
        asked_at.retain(|at| (from..=until).contains(at));
        let few = asked_at.windows(IN_A_ROW).map(|few| percent(IN_A_ROW - 1, few[IN_A_ROW - 1] - few[0]));
        Pace { _region: region, whole: percent(asked_at.len() - 1, until - from), best: few.max().unwrap() }
    };
    REGIONS.map(pace)
}

/// Within a Region AWS takes two questions a second; the sandbox refuses the third.
#[tokio::test(flavor = "multi_thread")]
async fn every_region_is_asked_twice_a_second_and_never_faster() {
    // A search that is too slow is so each time, and a busy machine now and then.
    let mut tried = Vec::new();
    for _ in 0..3 {
        let paces = Box::pin(paces()).await;
        println!("in percent of the permitted rate: {paces:?}");
        if paces.iter().all(|pace| pace.whole >= PACE_MIN && pace.best >= BEST_MIN) {
            return;
        }
        tried.push(paces);
    }
    panic!("it is slower than AWS permits: {tried:?}");
}
