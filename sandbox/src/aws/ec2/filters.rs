//! `Filter.N` of the describe calls, and their pages.

use super::super::policy::wildcard;
use super::super::wire::{ApiError, Node, Params};
use super::{Tags, bad_value};

/// Entries on one page, at least and at most.
const PAGE: std::ops::RangeInclusive<usize> = 5..=1_000;

/// What a call filters by: all of them must hold.
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    pub(super) fn of(params: &Params) -> Self {
        let names = params.items("Filter", ".Name");
        let one = |(index, name): (usize, &str)| {
            let values = params.items(&format!("Filter.{index}.Value"), "");
            (name.to_owned(), values.into_iter().map(str::to_owned).collect())
        };
        Self((1..).zip(names).map(one).collect())
    }

    /// Whether a resource is wanted. `values` says what it has for a filter's name, `None` for a filter that there is
    /// not; `tag:…` and `tag-key` are understood for all.
    pub(super) fn want(&self, tags: &Tags, values: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, ApiError> {
        for (name, wanted) in &self.0 {
            let has = match name.as_str() {
                "tag-key" => tags.keys().cloned().collect(),
                name => match name.strip_prefix("tag:") {
                    Some(key) => tags.get(key).into_iter().cloned().collect(),
                    None => values(name).ok_or_else(|| bad_value(format!("The filter '{name}' is invalid")))?,
                },
            };
            if !has.iter().any(|value| wanted.iter().any(|pattern| wildcard(pattern, value))) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One page of `nodes` under the name of the answer's list.
pub(super) fn page(params: &Params, list: &'static str, nodes: Vec<Node>) -> Result<Node, ApiError> {
    let size = match params.get("MaxResults") {
        None => usize::MAX,
        Some(text) => text.parse().ok().filter(|size| PAGE.contains(size)).ok_or_else(|| {
            bad_value(format!(
                "Value ( {text} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."
            ))
        })?,
    };
    let from = match params.get("NextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .ok()
            .filter(|from| *from <= nodes.len())
            .ok_or_else(|| bad_value("Invalid value for 'nextToken'"))?,
    };
    let upto = nodes.len().min(from.saturating_add(size));
    let more = upto < nodes.len();
    let shown = nodes.into_iter().take(upto).skip(from).collect();
    let mut fields = vec![(list, Node::Members(shown))];
    if more {
        fields.push(("nextToken", Node::text(upto.to_string())));
    }
    Ok(Node::Fields(fields))
}
