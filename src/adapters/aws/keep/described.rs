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
    let versions: Vec<String> = all.versions.iter().filter_map(|version| version.version.clone()).collect();
    let versions = versions.into_iter().filter(|version| version != "$LATEST");
    let qualifiers = versions.chain(aliases.into_iter().filter_map(|alias| alias.name)).map(Some);
    for qualifier in std::iter::once(None).chain(qualifiers) {
        let file = qualifier.as_ref().map_or_else(|| "policy.json".to_owned(), |of| format!("policy-{of}.json"));
        let asked = Box::pin(lambda.get_policy().function_name(name).set_qualifier(qualifier).send()).await;
        let asked = asked.map(|_| ()).map_err(|e| fault("lambda:GetPolicy", &e));
        all.add(&file, &answers.take(), asked)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

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
