//! Access keys.

use super::paging::page;
use super::users::named;
use crate::aws::operation::Call;
use crate::aws::state::AccessKey;
use crate::aws::wire::{ApiError, Node};

/// `AccessKeysPerUser`; the quota cannot be raised.
const KEYS_MAX: usize = 2;

fn status(key: &AccessKey) -> Node {
    Node::text(if key.active { "Active" } else { "Inactive" })
}

fn not_found(id: &str) -> ApiError {
    ApiError::no_such_entity(format!("The Access Key with id {id} cannot be found."))
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    let user = named(call.world, &name)?;
    let keys = user.keys.iter().map(|key| {
        let node = Node::Fields(vec![
            ("UserName", Node::text(&name)),
            ("AccessKeyId", Node::text(&key.id)),
            ("Status", status(key)),
            ("CreateDate", Node::Time(key.created_at)),
        ]);
        (key.id.clone(), node)
    });
    let mut keys: Vec<_> = keys.collect();
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    page(call.params, "AccessKeyMetadata", keys).map(Node::Fields)
}

pub(super) fn last_used(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.params.required("AccessKeyId")?;
    let (user, key) = call.world.iam.key(id).ok_or_else(|| not_found(id))?;
    let fields = match &key.last_used {
        Some(last) => vec![
            ("LastUsedDate", Node::Time(last.at)),
            ("ServiceName", Node::text(&last.service)),
            ("Region", Node::text(&last.region)),
        ],
        None => vec![("ServiceName", Node::text("N/A")), ("Region", Node::text("N/A"))],
    };
    Ok(Node::Fields(vec![("UserName", Node::text(&user.name)), ("AccessKeyLastUsed", Node::Fields(fields))]))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    let (account, now) = (call.world.account, call.now);
    let user = named(call.world, &name)?;
    if user.keys.len() >= KEYS_MAX {
        let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_MAX}");
        return Err(ApiError::conflict("LimitExceeded", message));
    }
    let key = AccessKey::new(account, now);
    let fields = vec![
        ("UserName", Node::text(&name)),
        ("AccessKeyId", Node::text(&key.id)),
        ("Status", status(&key)),
        ("SecretAccessKey", Node::text(&key.secret)),
        ("CreateDate", Node::Time(now)),
    ];
    user.keys.push(key);
    Ok(Node::Fields(vec![("AccessKey", Node::Fields(fields))]))
}

pub(super) fn update(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    let id = call.params.required("AccessKeyId")?;
    let active = match call.params.required("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => {
            return Err(ApiError::validation(format!(
                "1 validation error detected: Value '{other}' at 'status' failed to satisfy constraint: Member must \
                 satisfy enum value set: [Active, Inactive]"
            )));
        }
    };
    let key = named(call.world, &name)?.keys.iter_mut().find(|key| key.id == id).ok_or_else(|| not_found(id))?;
    key.active = active;
    Ok(Node::empty())
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.user_name()?;
    let id = call.params.required("AccessKeyId")?;
    let keys = &mut named(call.world, &name)?.keys;
    let place = keys.iter().position(|key| key.id == id).ok_or_else(|| not_found(id))?;
    keys.remove(place);
    Ok(Node::empty())
}
