//! What comes in from outside, brought into the domain's words. Pure, lenient in what it ignores and
//! strict in what it keeps: every text is bounded here, and secrets are cut out before anything is stored.

pub mod eventbridge;
pub mod pressed;
pub mod since;
pub mod slack;
pub mod slash;
pub mod submission;

/// Longest text kept from outside, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// A text from outside, bounded and without control or direction-changing characters.
fn bounded(text: &str) -> String {
    let kept = |c: &char| !c.is_control() && !matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(kept).take(TEXT_CHARS_MAX).collect::<String>().trim().to_owned()
}
