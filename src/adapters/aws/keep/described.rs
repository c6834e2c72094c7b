//! All that AWS says of a function: its configuration with what its variables hold, its versions, aliases, addresses,
//! policies and what calls it.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{
    AliasConfiguration, EventSourceMappingConfiguration, FunctionConfiguration, FunctionUrlConfig,
};
use serde_json::Value;

use super::answers::Answers;
use crate::adapters::aws::fault::{fault, has_no_function_urls, is_missing};
use crate::ports::CloudError;

/// Versions and aliases whose policies are asked for: whoever publishes thousands must not keep up the deletion.
const POLICIES_MAX: usize = 100;

/// What goes into the vault, and what could not be read.
#[derive(Default)]
pub(super) struct Described {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) not_kept: Vec<String>,
    /// As far as they could be read, `$LATEST` with them.
    pub(super) versions: Vec<FunctionConfiguration>,
}

impl Described {
    /// Keeps what was answered to one question. What AWS does not let the bot read is named, and keeps nothing up; what it
    /// can be asked again is.
    fn add<T>(&mut self, file: &str, answers: &[Value], asked: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
        match asked {
            Ok(found) => {
                let pages = Value::from(answers.to_vec());
                self.files.insert(file.to_owned(), pages.to_string().into_bytes());
                Ok(Some(found))
            }
            Err(error) if error.can_retry() => Err(error),
            Err(error) => {
                if !is_missing(&error) && !has_no_function_urls(&error) {
                    self.not_kept.push(format!("{file}: {error}"));
                }
                Ok(None)
            }
        }
    }
}

/// Asks for all of it. Each file has the answers as AWS gave them, one for each page.
pub(super) async fn described(client: &Client, name: &str) -> Result<Described, CloudError> {
    let (answers, mut all) = (Answers::default(), Described::default());
    let lambda = answers.to(client);
    let asked = Box::pin(lambda.get_function().function_name(name).send()).await;
    let asked = asked.map(|_| ()).map_err(|e| fault("lambda:GetFunction", &e));
    all.add("function.json", &answers.take(), asked)?;
    let asked = lambda.list_event_source_mappings().function_name(name).into_paginator().items().send().try_collect();
    let asked: Result<Vec<EventSourceMappingConfiguration>, CloudError> =
        Box::pin(asked).await.map_err(|e| fault("lambda:ListEventSourceMappings", &e));
    all.add("event-source-mappings.json", &answers.take(), asked)?;
    let asked = lambda.list_function_url_configs().function_name(name).into_paginator().items().send().try_collect();
    let asked: Result<Vec<FunctionUrlConfig>, CloudError> =
        Box::pin(asked).await.map_err(|e| fault("lambda:ListFunctionUrlConfigs", &e));
    all.add("urls.json", &answers.take(), asked)?;
    let asked = lambda.list_versions_by_function().function_name(name).into_paginator().items().send().try_collect();
    let asked: Result<Vec<FunctionConfiguration>, CloudError> =
        Box::pin(asked).await.map_err(|e| fault("lambda:ListVersionsByFunction", &e));
    all.versions = all.add("versions.json", &answers.take(), asked)?.unwrap_or_default();
    let asked = lambda.list_aliases().function_name(name).into_paginator().items().send().try_collect();
    let asked: Result<Vec<AliasConfiguration>, CloudError> =
        Box::pin(asked).await.map_err(|e| fault("lambda:ListAliases", &e));
    let aliases = all.add("aliases.json", &answers.take(), asked)?.unwrap_or_default();
    let versions = all.versions.iter().filter_map(|version| version.version.clone()).collect();
    let (qualifiers, more) = qualifiers(aliases.into_iter().filter_map(|alias| alias.name).collect(), versions);
    if more > 0 {
        all.not_kept.push(format!("policies of {more} more versions and aliases: {POLICIES_MAX} are asked for"));
    }
    for qualifier in std::iter::once(None).chain(qualifiers.into_iter().map(Some)) {
        let file = qualifier.as_ref().map_or_else(|| "policy.json".to_owned(), |of| format!("policy-{of}.json"));
        let asked = Box::pin(lambda.get_policy().function_name(name).set_qualifier(qualifier).send()).await;
        let asked = asked.map(|_| ()).map_err(|e| fault("lambda:GetPolicy", &e));
        all.add(&file, &answers.take(), asked)?;
    }
    Ok(all)
}

/// Whose policies are asked for, and of how many they are not: aliases first, which people call by, and then the newest
/// versions. AWS lists the oldest first.
fn qualifiers(aliases: Vec<String>, versions: Vec<String>) -> (Vec<String>, usize) {
    let newest = versions.into_iter().rev().filter(|version| version != "$LATEST");
    let mut all: Vec<String> = aliases.into_iter().chain(newest).collect();
    let more = all.len().saturating_sub(POLICIES_MAX);
    all.truncate(POLICIES_MAX);
    (all, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_versions_there_are_so_many_policies_are_asked_for_and_the_others_are_counted() {
        let versions = |count: usize| {
            let published = (1..=count).map(|n| n.to_string());
            std::iter::once("$LATEST".to_owned()).chain(published).collect::<Vec<_>>()
        };
        assert_eq!(qualifiers(vec!["live".into()], versions(2)), (vec!["live".into(), "2".into(), "1".into()], 0));
        let (asked, more) = qualifiers(vec!["live".into()], versions(5_000));
        assert_eq!((asked.len(), asked[0].as_str(), asked[1].as_str(), more), (POLICIES_MAX, "live", "5000", 4_901));
    }

    #[test]
    fn what_may_not_be_read_is_named_and_what_is_not_there_is_not() {
        let refused = |code: &str| CloudError::Refused {
            operation: "lambda:ListAliases".into(),
            code: code.into(),
            message: "no".into(),
        };
        let mut all = Described::default();
        assert_eq!(all.add::<()>("a.json", &[], Err(refused("ResourceNotFoundException"))).unwrap(), None);
        assert!(all.not_kept.is_empty());
        assert_eq!(all.add::<()>("a.json", &[], Err(refused("AccessDeniedException"))).unwrap(), None);
        assert!(all.files.is_empty() && all.not_kept[0].starts_with("a.json: "), "{:?}", all.not_kept);
        let away = CloudError::Unavailable { operation: "lambda:ListAliases".into(), message: "away".into() };
        assert!(all.add::<()>("a.json", &[], Err(away)).is_err(), "it is asked again");
    }
}
