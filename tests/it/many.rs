//! More of a kind than one reading looks at: what is left out is named as a gap, and opens no gate.

use crate::inventory::stock;
use crate::world::World;

const HOME: &str = "us-east-1";
const RULE: &str = "AWS::Events::Rule";

#[tokio::test(flavor = "multi_thread")]
async fn rules_beyond_those_whose_targets_are_read_are_a_gap_and_do_not_look_harmless() {
    let w = World::without_bot(false).await;
    for n in 0..300 {
        w.account.put_rule_unlogged(HOME, &format!("r{n:03}"), "arn:aws:sqs:us-east-1:111122223333:q");
    }
    w.account.put_rule_unlogged(HOME, "zz", "arn:aws:events:us-east-1:444455556666:event-bus/in");
    let stock = stock(&w, &[], &[]).await;
    let why: Vec<&str> = stock.gaps.iter().map(|gap| &*gap.why).collect();
    assert_eq!(why, ["of 302 event rules the targets of 2 are not looked at"]);
    assert_eq!((stock.gaps[0].region.as_str(), &*stock.gaps[0].resource_types), (HOME, &[RULE.to_owned()][..]));
    assert_eq!(stock.undated.iter().filter(|thing| thing.resource_type == RULE).count(), 300);
    assert!(stock.counts[RULE] == 302 && !stock.undated.iter().any(|thing| thing.id == "zz"), "{:?}", stock.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_on_many_buses_are_read_up_to_a_bound_for_the_region() {
    let w = World::without_bot(false).await;
    for bus in ["a", "b", "c", "d"] {
        w.account.make_bus_unlogged(HOME, bus, "in", "444455556666");
        for n in 0..300 {
            w.account.put_rule_unlogged(HOME, &format!("{bus}/r{n:03}"), "arn:aws:sqs:us-east-1:111122223333:q");
        }
    }
    let stock = stock(&w, &[], &[]).await;
    let why: Vec<&str> = stock.gaps.iter().map(|gap| &*gap.why).collect();
    assert_eq!(why, ["of 1201 event rules the targets of 201 are not looked at"]);
    let read: Vec<_> = stock.undated.iter().filter(|thing| thing.resource_type == RULE).collect();
    assert_eq!((read.len(), read[0].id.as_str(), stock.counts[RULE]), (1_000, "nightly-batch", 1_201));
}
