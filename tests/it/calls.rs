//! Who hears of something by a mention, and who would not.

use crate::world::{ANA, BEN, CHRIS, DANA, KIM, ORGANISATION, World};

const KEY: &str = "· Deactivate access key";
const SESSIONS: &str = "· Revoke all sessions minted";
const ANNOUNCEMENT: &str = "stolen AWS credential";
const ON_CALL: &str = "S0ONCALL01";
/// Not in the war room.
const GUEST: &str = "U0GUEST001";

/// How many notifications with this in it somebody has had.
fn heard(w: &World, person: &str, of: &str) -> usize {
    w.slack.notifications(person).iter().filter(|text| text.contains(of)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_incident_calls_who_is_on_call_and_its_edits_nobody() {
    let w = World::without_bot(false).await;
    w.slack.set_group(ON_CALL, Some(&[DANA, GUEST]));
    let page = format!("[people]\npage = [\"{ON_CALL}\", \"{KIM}\"]");
    let w = w.with_bot(false, None, &ORGANISATION.replace("[people]", &page)).await;
    w.incident().await;
    let announcement = w.card(ANA, ANNOUNCEMENT).unwrap();
    let (text, blocks) = (announcement["text"].as_str().unwrap(), announcement["blocks"].to_string());
    for called in ["<!subteam^S0ONCALL01>", "<@U0KEYOWNR1>"] {
        assert!(text.contains(called) && blocks.contains(called), "{called}: {announcement:#}");
    }
    w.carry_out(KEY, ANA, BEN).await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    for (person, times) in [(DANA, 1), (KIM, 1), (CHRIS, 0), (GUEST, 0)] {
        assert_eq!(heard(&w, person, ANNOUNCEMENT), times, "an edit notifies nobody: {person}");
    }
    w.end().await;
}
