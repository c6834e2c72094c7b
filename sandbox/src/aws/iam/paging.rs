//! `MaxItems`, `Marker`, `IsTruncated`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::aws::wire::{ApiError, Node, Params};

/// What is on the page that `params` ask for, of `items` sorted by name, and the marker of the next one; it holds the
/// last name given.
pub(super) fn cut_page<T>(params: &Params, items: Vec<(String, T)>) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = params.number("MaxItems", 1..=1000)?.unwrap_or(100);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let after = match params.get("Marker") {
        None => None,
        Some(marker) => Some(
            BASE64
                .decode(marker)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| ApiError::validation("Invalid Marker."))?,
        ),
    };
    let mut rest = items.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).peekable();
    let mut upto = String::new();
    let mut nodes = Vec::new();
    while nodes.len() < size
        && let Some((name, node)) = rest.next()
    {
        upto = name;
        nodes.push(node);
    }
    let truncated = rest.peek().is_some();
    Ok((nodes, truncated.then(|| BASE64.encode(upto))))
}

/// The same as an answer with one list.
pub(super) fn page(
    params: &Params,
    list: &'static str,
    items: Vec<(String, Node)>,
) -> Result<Vec<(&'static str, Node)>, ApiError> {
    let (nodes, marker) = cut_page(params, items)?;
    let mut fields = vec![("IsTruncated", Node::Flag(marker.is_some())), (list, Node::Members(nodes))];
    fields.extend(marker.map(|marker| ("Marker", Node::text(marker))));
    Ok(fields)
}
