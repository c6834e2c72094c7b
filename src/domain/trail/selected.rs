//! Of which buckets a trail records what happens to their objects, where the logs have the call that said so. Without it one
//! call to one bucket says nothing of the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::record::Record;
use super::resource::{at, cut, items, member};

/// Trails that are remembered.
const TRAILS_MAX: usize = 50;
/// Buckets that are remembered of each.
const BUCKETS_MAX: usize = 200;
/// Longest name of a trail or bucket, in bytes.
const NAME_BYTES_MAX: usize = 256;
const OBJECTS: &str = "AWS::S3::Object";

/// What a trail was last told to record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selected {
    /// Since when, as the record has it.
    pub since: String,
    /// The call's event.
    pub event_id: String,
    /// The buckets, with the beginning of the keys where it is not all of them; empty for none.
    pub buckets: BTreeSet<String>,
    /// All buckets.
    pub all: bool,
}

/// By trail.
pub type Selections = BTreeMap<String, Selected>;

/// Takes in what a call tells a trail to record.
pub fn note(record: &Record<'_>, into: &mut Selections) {
    if (record.source(), record.name()) != ("cloudtrail", "PutEventSelectors") || !record.succeeded() {
        return;
    }
    let request = record.request();
    let Some(mut trail) = at(&request, "trailName").into_iter().next() else { return };
    cut(&mut trail, NAME_BYTES_MAX);
    let text = |text: &super::record::Text<'_>| text.as_deref().unwrap_or("").to_owned();
    let mut selected =
        Selected { since: text(&record.event_time), event_id: text(&record.event_id), ..Selected::default() };
    for selector in member(&request, "eventSelectors").map(items).unwrap_or_default() {
        for resource in member(selector, "dataResources").map(items).unwrap_or_default() {
            if at(resource, "type").iter().any(|kind| kind == OBJECTS) {
                selected.add(&at(resource, "values[]"));
            }
        }
    }
    for selector in member(&request, "advancedEventSelectors").map(items).unwrap_or_default() {
        selected.add_advanced(selector);
    }
    add(into, trail, selected);
}

/// Takes in what another part of the logs says.
pub fn merge(into: &mut Selections, other: Selections) {
    for (trail, selected) in other {
        add(into, trail, selected);
    }
}

/// The newest counts.
fn add(into: &mut Selections, trail: String, selected: Selected) {
    let known = into.get(&trail);
    let is_newer = known.is_none_or(|known| (&known.since, &known.event_id) < (&selected.since, &selected.event_id));
    if is_newer && (known.is_some() || into.len() < TRAILS_MAX) {
        into.insert(trail, selected);
    }
}

impl Selected {
    fn add(&mut self, arns: &[String]) {
        for arn in arns {
            let bucket = arn.split_once(":::").map_or("", |(_, bucket)| bucket).trim_end_matches('/');
            if bucket.is_empty() {
                self.all = true;
            } else if self.buckets.len() < BUCKETS_MAX {
                let mut bucket = bucket.to_owned();
                cut(&mut bucket, NAME_BYTES_MAX);
                self.buckets.insert(bucket);
            }
        }
    }

    fn add_advanced(&mut self, selector: &Value) {
        let fields = member(selector, "fieldSelectors").map(items).unwrap_or_default();
        let of = |name: &str| fields.iter().find(|field| at(field, "field").iter().any(|field| field == name));
        if !of("resources.type").is_some_and(|kind| at(kind, "equals[]").iter().any(|kind| kind == OBJECTS)) {
            return;
        }
        match of("resources.ARN") {
            None => self.all = true,
            // What is left out of all buckets is not said here: those that are named are sure.
            Some(arn) => self.add(&[at(arn, "startsWith[]"), at(arn, "equals[]")].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selected(request: &Value) -> Option<Selected> {
        let record =
            json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "PutEventSelectors", "eventID": "e",
            "eventTime": "2026-01-31T10:00:00Z", "requestParameters": request})
            .to_string();
        let record: Record<'_> = serde_json::from_str(&record).unwrap();
        let mut selections = Selections::new();
        note(&record, &mut selections);
        selections.remove("main")
    }

    #[test]
    fn both_kinds_of_selectors_name_their_buckets() {
        let objects = |values: &[&str]| {
            json!({"trailName": "main", "eventSelectors": [
            {"dataResources": [{"type": OBJECTS, "values": values}, {"type": "AWS::Lambda::Function", "values": ["arn:aws:lambda"]}]}]})
        };
        let one = selected(&objects(&["arn:aws:s3:::loot/", "arn:aws:s3:::logs/a/"])).unwrap();
        assert_eq!(
            (one.buckets.into_iter().collect::<Vec<_>>(), one.all),
            (vec!["logs/a".to_owned(), "loot".into()], false)
        );
        assert!(
            selected(&objects(&["arn:aws:s3:::"])).unwrap().all && selected(&objects(&["arn:aws:s3"])).unwrap().all
        );
        let advanced = |arn: &Value| {
            json!({"trailName": "main", "advancedEventSelectors": [{"fieldSelectors": [
            {"field": "eventCategory", "equals": ["Data"]}, {"field": "resources.type", "equals": [OBJECTS]}, arn]}]})
        };
        let some =
            selected(&advanced(&json!({"field": "resources.ARN", "startsWith": ["arn:aws:s3:::loot/"]}))).unwrap();
        assert_eq!((some.buckets.into_iter().collect::<Vec<_>>(), some.all), (vec!["loot".to_owned()], false));
        assert!(selected(&advanced(&json!({"field": "readOnly", "equals": ["true"]}))).unwrap().all);
        let management = selected(&json!({"trailName": "main", "eventSelectors": [{"includeManagementEvents": true}]}));
        assert!(management.is_some_and(|none| none.buckets.is_empty() && !none.all));
        assert_eq!(selected(&json!({"eventSelectors": "x"})), None);
    }

    #[test]
    fn of_one_trail_the_newest_word_counts_in_whatever_order() {
        let word = |since: &str| Selected { since: since.into(), ..Selected::default() };
        let (mut one, mut other) = (Selections::new(), Selections::new());
        for (into, times) in [(&mut one, ["b", "a", "c"]), (&mut other, ["c", "b", "a"])] {
            for since in times {
                merge(into, Selections::from([("main".to_owned(), word(since))]));
            }
        }
        assert_eq!((one["main"].since.as_str(), &one), ("c", &other));
    }
}
