//! What is made without the trail showing it, as in a gap of the log: outside the journal too.

use chrono::{DateTime, Utc};

use super::Account;
use super::ec2::{Pair, Tags};
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

    /// Deletes the key pair of this name, as somebody else might.
    pub fn delete_key_pair_unlogged(&self, region: &str, name: &str) {
        if let Some(region) = self.world().ec2.region_mut(region) {
            region.pairs.retain(|_, pair| pair.name != name);
        }
    }
}
