//! What is made without the trail showing it, as in a gap of the log: outside the journal too.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Account;
use super::ec2::{Pair, Tags};
use super::events::{Bus, Rule};
use super::iam::held::Held;
use super::ids::{self, Entropy};
use super::state::{Policies, User};

impl Account {
    /// Makes a user without keys and policies.
    pub fn make_user_unlogged(&self, name: &str, created_at: DateTime<Utc>) {
        self.change(|world| {
            let user = User {
                name: name.to_owned(),
                path: "/".to_owned(),
                id: ids::unique_id("AIDA", Entropy::Random),
                created_at,
                tags: [].into(),
                policies: Policies::default(),
                keys: Vec::new(),
                held: Held::default(),
                boundary: None,
            };
            world.iam.users.insert(name.to_owned(), user);
        });
    }

    /// Makes a key pair, whose private key is nobody's here. Nothing happens in a Region that is not enabled.
    pub fn make_key_pair_unlogged(&self, region: &str, name: &str, created_at: DateTime<Utc>) {
        let mut world = self.world();
        let Some(region) = world.ec2.region_mut(region) else { return };
        let pair = Pair {
            id: ids::resource_id("key", Entropy::Random),
            name: name.to_owned(),
            fingerprint: ids::resource_id("fp", Entropy::Random),
            public_key: format!("ssh-ed25519 {} {name}", ids::secret()),
            created_at,
            tags: Tags::new(),
        };
        region.pairs.insert(pair.id.clone(), pair);
    }

    /// Makes an event bus on which another account may put events.
    pub fn make_bus_unlogged(&self, region: &str, name: &str, statement_id: &str, account: &str) {
        let statement = json!({
            "Sid": statement_id,
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "events:PutEvents",
            "Resource": "*",
        });
        let bus = Bus { statements: vec![statement], ..Bus::default() };
        self.world().buses.insert((region.to_owned(), name.to_owned()), bus);
    }

    /// Puts a rule that calls this: on the default bus every five minutes, and as `bus/name` on events.
    pub fn put_rule_unlogged(&self, region: &str, id: &str, target: &str) {
        let (bus, name) = id.rsplit_once('/').map_or((None, id), |(bus, name)| (Some(bus), name));
        let rule = Rule {
            name: name.to_owned(),
            bus: bus.unwrap_or("default").to_owned(),
            pattern: bus.map(|_| r#"{"source":["app"]}"#.to_owned()),
            schedule: bus.is_none().then(|| "rate(5 minutes)".to_owned()),
            description: None,
            role: None,
            enabled: true,
            managed_by: None,
            targets: BTreeMap::from([("1".to_owned(), json!({ "Id": "1", "Arn": target }))]),
        };
        self.world().rules.insert((region.to_owned(), id.to_owned()), rule);
    }

    /// Lets another account call a function. Nothing happens when there is none of this name.
    pub fn let_in_unlogged(&self, region: &str, function: &str, statement_id: &str, account: &str) {
        let mut world = self.world();
        let Some(function) = world.lambda.functions.get_mut(&(region.to_owned(), function.to_owned())) else { return };
        let statement = json!({
            "Sid": statement_id,
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "lambda:InvokeFunction",
            "Resource": "*",
        });
        function.statements.insert(statement_id.to_owned(), statement);
    }

    /// Deletes the key pair of this name, as somebody else might.
    pub fn delete_key_pair_unlogged(&self, region: &str, name: &str) {
        if let Some(region) = self.world().ec2.region_mut(region) {
            region.pairs.retain(|_, pair| pair.name != name);
        }
    }
}
