//! [`irp::ports::IncidentLog`]: what leads to an incident.

use futures_util::future::join_all;
use irp::domain::id::IncidentId;
use irp::ports::Claim;

use super::{Replicas, keys};

pub(super) async fn a_claim_leads_all_its_keys_to_one_incident(replicas: &Replicas) {
    let first = replicas.one.claim(&keys(["finding:a", "key:AKIA"])).await.unwrap();
    assert_eq!(first, Claim { incident: IncidentId::new(1), new: true });
    let again = Claim { new: false, ..first };
    assert_eq!(replicas.other.claim(&keys(["finding:b", "key:AKIA"])).await.unwrap(), again);
    assert_eq!(replicas.one.claim(&keys(["finding:b"])).await.unwrap(), again);
    let unrelated = replicas.one.claim(&keys(["finding:c"])).await.unwrap();
    assert_eq!(unrelated, Claim { incident: IncidentId::new(2), new: true });
}

pub(super) async fn of_two_claims_at_once_one_is_new(replicas: &Replicas) {
    let wanted: Vec<_> = (0..40).map(|turn| keys(["key:shared", &format!("finding:{turn}")])).collect();
    let claims = wanted.iter().enumerate().map(|(turn, wanted)| {
        let store = if turn % 2 == 0 { &replicas.one } else { &replicas.other };
        store.claim(wanted)
    });
    let claims: Vec<Claim> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
    assert!(claims.iter().all(|claim| claim.incident == IncidentId::new(1)), "{claims:?}");
    assert_eq!(claims.iter().filter(|claim| claim.new).count(), 1);
}

pub(super) async fn of_known_keys_the_first_decides(replicas: &Replicas) {
    let one = replicas.one.claim(&keys(["a"])).await.unwrap().incident;
    let two = replicas.one.claim(&keys(["b"])).await.unwrap().incident;
    let both = replicas.one.claim(&keys(["new", "b", "a"])).await.unwrap();
    assert_eq!(both, Claim { incident: two, new: false });
    assert_eq!(replicas.one.claim(&keys(["new"])).await.unwrap().incident, two);
    assert_eq!(replicas.one.claim(&keys(["a"])).await.unwrap().incident, one, "a key stays where it was");
}

pub(super) async fn retiring_frees_the_keys_but_not_the_number(replicas: &Replicas) {
    let first = replicas.one.claim(&keys(["a", "b"])).await.unwrap().incident;
    let other = replicas.one.claim(&keys(["c"])).await.unwrap();
    replicas.one.retire(first).await.unwrap();
    replicas.other.retire(first).await.unwrap();
    assert_eq!(replicas.one.open_incidents(10).await.unwrap(), [other.incident]);
    let again = replicas.one.claim(&keys(["b"])).await.unwrap();
    assert_eq!(again, Claim { incident: IncidentId::new(3), new: true });
    assert_eq!(replicas.one.claim(&keys(["a"])).await.unwrap().incident, IncidentId::new(4));
    assert_eq!(replicas.one.claim(&keys(["c"])).await.unwrap(), Claim { new: false, ..other });
}

pub(super) async fn open_incidents_come_newest_first(replicas: &Replicas) {
    assert_eq!(replicas.one.open_incidents(10).await.unwrap(), []);
    assert_eq!(replicas.one.open_incidents(usize::MAX).await.unwrap(), []);
    for number in 1..=12 {
        replicas.one.claim(&[format!("key:{number}")]).await.unwrap();
    }
    replicas.one.retire(IncidentId::new(11)).await.unwrap();
    let newest = [12, 10, 9].map(IncidentId::new);
    assert_eq!(replicas.other.open_incidents(3).await.unwrap(), newest);
    assert_eq!(replicas.other.open_incidents(100).await.unwrap().len(), 11);
    assert_eq!(replicas.other.open_incidents(0).await.unwrap(), []);
}

pub(super) async fn freed_keys_lead_to_another_incident_and_the_first_stays_on_the_list(replicas: &Replicas) {
    let first = replicas.one.claim(&keys(["a", "b"])).await.unwrap().incident;
    replicas.one.free_keys(first).await.unwrap();
    replicas.other.free_keys(first).await.unwrap();
    let again = replicas.other.claim(&keys(["b"])).await.unwrap();
    assert_eq!(again, Claim { incident: IncidentId::new(2), new: true });
    assert_eq!(replicas.one.open_incidents(9).await.unwrap(), [again.incident, first]);
}
