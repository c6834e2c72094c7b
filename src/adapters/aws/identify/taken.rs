//! Who took a session. Its name is chosen by whoever takes it, and can say nothing of them: `backup-job`.

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::SESSION_DAYS;
use crate::adapters::aws::AccountClients;
use crate::adapters::aws::trail::look_up_everywhere;
use crate::domain::credential::AccessKeyId;
use crate::domain::identification::Identification;

/// One call has given a key out, and it is among the newest that name it.
const PAGES_MAX: u32 = 1;

/// Looks for the call that gave the key out, in every Region: it says who made it. The rest does not wait for what cannot be
/// read here.
pub(super) async fn read(account: &AccountClients, key: &AccessKeyId, now: DateTime<Utc>, found: &mut Identification) {
    let trails = account.trails().await;
    let days = u32::try_from(SESSION_DAYS).unwrap_or(u32::MAX);
    let looked =
        look_up_everywhere(&trails, LookupAttributeKey::ResourceName, key.as_str(), now, days, PAGES_MAX).await;
    let gave =
        looked.events.iter().find(|event| event["responseElements"]["credentials"]["accessKeyId"] == key.as_str());
    match gave {
        Some(event) => add(found, by_its_giving(event)),
        None => found.not_known.extend(looked.unread.iter().map(|why| format!("Who took this session: {why}"))),
    }
}

/// What a session's own calls say: AWS gives each the source identity that it was taken with, and nobody can change it.
pub(super) fn by_its_own_call(identity: &Value, found: &mut Identification) {
    add(found, text(identity, "/sessionContext/sourceIdentity").into_iter().collect());
}

/// By the call that gave it out: who signed it, and the source identity that was set with it.
fn by_its_giving(event: &Value) -> Vec<String> {
    let caller = &event["userIdentity"];
    let principal = text(caller, "/principalId").unwrap_or_default();
    let session = principal.split_once(':').map(|(_, session)| session.to_owned());
    let source = ["/responseElements/sourceIdentity", "/requestParameters/sourceIdentity"];
    let of_caller = ["/userName", "/arn", "/sessionContext/sourceIdentity"];
    let said = source.into_iter().filter_map(|at| text(event, at));
    said.chain(of_caller.into_iter().filter_map(|at| text(caller, at))).chain(session).collect()
}

fn add(found: &mut Identification, names: Vec<String>) {
    for name in names {
        if !name.is_empty() && !found.taken_by.contains(&name) {
            found.taken_by.push(name);
        }
    }
}

fn text(value: &Value, at: &str) -> Option<String> {
    value.pointer(at).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::identification::UNIDENTIFIED;

    #[test]
    fn whoever_makes_the_call_has_taken_it_whatever_they_call_the_session() {
        let event = |caller: Value| {
            json!({
                "eventName": "AssumeRole", "userIdentity": caller,
                "requestParameters": { "roleSessionName": "backup-job", "sourceIdentity": "kim@example.com" },
                "responseElements": { "sourceIdentity": "kim@example.com", "credentials": { "accessKeyId": "ASIA" } },
            })
        };
        let arn = "arn:aws:iam::111122223333:user/kim";
        let user = json!({ "type": "IAMUser", "principalId": "AIDA1", "arn": arn, "userName": "kim" });
        let mut found = UNIDENTIFIED.clone();
        add(&mut found, by_its_giving(&event(user)));
        assert_eq!(found.taken_by, ["kim@example.com", "kim", arn], "each once");

        // From a role to the next, and from another account.
        let arn = "arn:aws:sts::111122223333:assumed-role/ops/lee";
        let context = json!({ "sourceIdentity": "lee@example.com" });
        let role = json!({ "type": "AssumedRole", "principalId": "AROA1:lee", "arn": arn, "sessionContext": context });
        assert_eq!(by_its_giving(&event(role)), ["kim@example.com", "kim@example.com", arn, "lee@example.com", "lee"]);
        let service = json!({ "type": "AWSService", "invokedBy": "ec2.amazonaws.com" });
        assert_eq!(by_its_giving(&json!({ "userIdentity": service })), [""; 0]);
    }

    #[test]
    fn a_session_s_own_call_says_its_source_identity() {
        let mut found = UNIDENTIFIED.clone();
        let identity = |source: &str| json!({ "sessionContext": { "sourceIdentity": source } });
        for source in ["kim", "kim", ""] {
            by_its_own_call(&identity(source), &mut found);
        }
        by_its_own_call(&json!({ "type": "IAMUser" }), &mut found);
        assert_eq!(found.taken_by, ["kim"]);
    }
}
