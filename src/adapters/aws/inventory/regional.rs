//! What runs in a Region and what lets somebody in there: instances and what starts them, key pairs, functions, rules.

use std::time::Duration;

use aws_sdk_ec2::types::Instance;
use aws_sdk_lambda::types::{FunctionConfiguration, FunctionUrlAuthType};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::super::fault::{fault, has_no_function_urls, is_missing};
use super::super::instant;
use super::super::regional::Regional;
use super::{AT_ONCE, cut_short, federation, paged, rules, scaling};
use crate::domain::inventory::strangers::strangers;
use crate::domain::inventory::undated::PERMISSION;
use crate::domain::inventory::{Stock, Thing};
use crate::ports::{CloudError, Look};

/// Of so many functions of a Region the addresses and the policies are read: neither changes the time at which a function was
/// last changed. The new ones come first.
const FUNCTIONS_MAX: usize = 1_000;
/// Of no more than this, as fast as AWS answers; of more, so many at once and no sooner than that: AWS takes fifteen such calls
/// a second in a Region, and the owner's come out of them too.
const FUNCTIONS_AT_WILL: usize = 60;
const PACE: Duration = Duration::from_secs(1);
const INSTANCE: &str = "AWS::EC2::Instance";
const PAIR: &str = "AWS::EC2::KeyPair";
const FUNCTION: &str = "AWS::Lambda::Function";
const URL: &str = "AWS::Lambda::Url";

pub(super) async fn read(clients: &Regional, account: &str, region: &str, look: Look<'_>) -> Stock {
    let (mut stock, pairs, functions, rules, anchors, scaling) = tokio::join!(
        Box::pin(instances(clients, region, look)),
        Box::pin(pairs(clients, region, look)),
        Box::pin(functions(clients, account, region, look)),
        Box::pin(rules::read(clients, account, region, look)),
        Box::pin(federation::anchors(clients, region, look)),
        Box::pin(scaling::read(clients, region, look))
    );
    for part in [pairs, functions, rules, anchors, scaling] {
        stock.take(part);
    }
    stock
}

async fn instances(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let (found, cut, failed) =
        paged!("ec2:DescribeInstances", clients.ec2.describe_instances().max_results(500), reservations);
    if cut {
        stock.gap(region, &[INSTANCE], cut_short("instances"));
    }
    if let Some(error) = failed {
        stock.gap(region, &[INSTANCE], error.to_string());
    }
    for instance in found.into_iter().flat_map(|held| held.instances.unwrap_or_default()) {
        let state = instance.state().and_then(|state| state.name()).map_or("", |name| name.as_str());
        if !matches!(state, "shutting-down" | "terminated") {
            stock.add(of_instance(&instance, state, region), look.since);
        }
    }
    stock
}

fn of_instance(instance: &Instance, state: &str, region: &str) -> Thing {
    let id = instance.instance_id().unwrap_or_default();
    let thing = Thing::regional(INSTANCE, id, region, instance.launch_time().and_then(instant));
    let mut thing = scaling::started(thing, instance.tags());
    let kind = instance.instance_type().map_or("", |kind| kind.as_str());
    thing = thing.fact(format!("{kind}, {state}"));
    if let Some(arn) = instance.iam_instance_profile().and_then(|profile| profile.arn()) {
        thing = thing.fact(format!("has instance profile {}", arn.rsplit('/').next().unwrap_or(arn)));
    }
    match instance.key_name() {
        Some(key) => thing.fact(format!("key pair {key}")),
        None => thing,
    }
}

async fn pairs(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let asked = Box::pin(clients.ec2.describe_key_pairs().send()).await;
    match asked.map_err(|e| fault("ec2:DescribeKeyPairs", &e)) {
        Ok(answer) => {
            for pair in answer.key_pairs.unwrap_or_default() {
                let at = pair.create_time.as_ref().and_then(instant);
                stock.add(Thing::regional(PAIR, &pair.key_name.unwrap_or_default(), region, at), look.since);
            }
        }
        Err(error) => stock.gap(region, &[PAIR], error.to_string()),
    }
    stock
}

async fn functions(clients: &Regional, account: &str, region: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let (found, cut, failed) = paged!("lambda:ListFunctions", clients.lambda.list_functions(), functions);
    if cut {
        stock.gap(region, &[FUNCTION, URL, PERMISSION], cut_short("functions"));
    }
    if let Some(error) = failed {
        stock.gap(region, &[FUNCTION, URL, PERMISSION], error.to_string());
    }
    let all = found.len();
    let mut wanted = found;
    wanted.sort_by_key(|function| function.last_modified().and_then(moment).is_none_or(|at| at < look.since));
    let rest = wanted.split_off(all.min(FUNCTIONS_MAX));
    for function in &rest {
        stock.add(of_function(function, region, function.last_modified().and_then(moment)), look.since);
    }
    if !rest.is_empty() {
        let why = format!("of {all} functions those of {} are not looked at", rest.len());
        stock.gap(region, &[URL, PERMISSION], why);
    }
    for some in wanted.chunks(AT_ONCE) {
        let reads = join_all(some.iter().map(|function| Box::pin(access(clients, account, function, region, look))));
        let pause = tokio::time::sleep(if all > FUNCTIONS_AT_WILL { PACE } else { Duration::ZERO });
        let (read, ()) = tokio::join!(reads, pause);
        for one in read {
            stock.take(one);
        }
    }
    stock
}

fn of_function(function: &FunctionConfiguration, region: &str, at: Option<DateTime<Utc>>) -> Thing {
    let thing = Thing::regional(FUNCTION, function.function_name().unwrap_or_default(), region, at);
    match function.role() {
        Some(arn) => thing.fact(format!("has role {}", arn.rsplit('/').next().unwrap_or(arn))),
        None => thing,
    }
}

/// A function with its addresses and with those from elsewhere whom it lets in: its own, and those of its aliases, whom a
/// policy of their own lets in.
async fn access(
    clients: &Regional,
    account: &str,
    function: &FunctionConfiguration,
    region: &str,
    look: Look<'_>,
) -> Stock {
    let mut stock = Stock::default();
    let name = function.function_name().unwrap_or_default();
    let urls = async {
        paged!(
            "lambda:ListFunctionUrlConfigs",
            clients.lambda.list_function_url_configs().function_name(name),
            function_url_configs
        )
    };
    let aliases = async { paged!("lambda:ListAliases", clients.lambda.list_aliases().function_name(name), aliases) };
    let own = policy(clients, name, None);
    let ((urls, _, failed), (aliases, _, no_aliases), own) = tokio::join!(urls, aliases, own);
    if let Some(error) = failed.filter(|error| !is_missing(error) && !has_no_function_urls(error)) {
        stock.gap(region, &[URL], format!("addresses of function {name}: {error}"));
    }
    for url in urls {
        let open = url.auth_type == FunctionUrlAuthType::None;
        let whom = if open { "anybody can call it" } else { "callers have to sign" };
        let of = url.function_arn.split_once(":function:").map_or(name, |(_, of)| of);
        let thing = Thing::regional(URL, of, region, moment(&url.creation_time)).owned_by(FUNCTION, name);
        stock.add(thing.fact(whom), look.since);
    }
    if let Some(error) = no_aliases.filter(|error| !is_missing(error)) {
        stock.gap(region, &[PERMISSION], format!("aliases of function {name}: {error}"));
    }
    let aliases: Vec<String> = aliases.into_iter().filter_map(|alias| alias.name).collect();
    let mut policies = vec![(name.to_owned(), own)];
    for some in aliases.chunks(AT_ONCE) {
        let reads = join_all(some.iter().map(|alias| policy(clients, name, Some(alias)))).await;
        policies.extend(some.iter().map(|alias| format!("{name}:{alias}")).zip(reads));
    }
    let mut thing = of_function(function, region, function.last_modified().and_then(moment));
    for (of, policy) in policies {
        let strangers = match policy {
            Ok(policy) => strangers(policy.as_deref().unwrap_or_default(), account),
            Err(error) => {
                stock.gap(region, &[PERMISSION], format!("permissions of function {of}: {error}"));
                continue;
            }
        };
        let Some(strangers) = strangers else {
            stock.gap(region, &[PERMISSION], format!("permissions of function {of}: its policy cannot be read"));
            continue;
        };
        for stranger in strangers {
            let by_alias = of.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
            let says = stranger.says();
            thing = thing.fact(by_alias.map_or_else(|| says.clone(), |alias| format!("alias {alias} {says}")));
            let permission = Thing::regional(PERMISSION, &of, region, None).part(&stranger.statement);
            let permission = permission.owned_by(FUNCTION, name);
            let of_organization = stranger.of_organization;
            let permission = if of_organization { permission.fact(says) } else { permission.exposing(says) };
            stock.add(permission, look.since);
        }
    }
    stock.add(thing, look.since);
    stock
}

/// The policy of a function or of one of its aliases; none where nobody is let in.
async fn policy(clients: &Regional, name: &str, alias: Option<&str>) -> Result<Option<String>, CloudError> {
    let request = clients.lambda.get_policy().function_name(name).set_qualifier(alias.map(str::to_owned));
    match Box::pin(request.send()).await.map_err(|e| fault("lambda:GetPolicy", &e)) {
        Ok(answer) => Ok(answer.policy),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `2026-01-31T10:20:30.000+0000`
fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_times_are_read_and_strange_ones_are_none() {
        assert_eq!(moment("2026-01-31T10:20:30.000+0000").unwrap().to_rfc3339(), "2026-01-31T10:20:30+00:00");
        assert!(["", "yesterday", "2026-01-31"].into_iter().all(|text| moment(text).is_none()));
    }
}
