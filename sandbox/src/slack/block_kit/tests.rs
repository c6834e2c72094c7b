use serde_json::json;

use super::*;

fn message(blocks: &Value) -> Vec<String> {
    check_blocks(blocks.as_array().unwrap(), Surface::Message, "/blocks")
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

#[test]
fn good_blocks_pass() {
    let errors = message(&json!([
        {"type": "header", "text": {"type": "plain_text", "text": "Hello", "emoji": true}},
        section("text"),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "small"}]},
        {"type": "actions", "block_id": "a", "elements": [
            {"type": "button", "action_id": "b", "value": "v", "text": {"type": "plain_text", "text": "Go"}, "style": "primary"}]},
        {"type": "divider"},
    ]));
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn what_slack_refuses_is_refused_with_its_place() {
    let button = |id: &str| json!({"type": "button", "action_id": id, "text": {"type": "plain_text", "text": "Go"}});
    for (blocks, place) in [
        (json!([section(&"x".repeat(3001))]), "/blocks/0/text/text"),
        (json!([section("")]), "/blocks/0/text"),
        (json!([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]), "/blocks/0/text"),
        (json!([{"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}}]), "/blocks/0/text"),
        (json!([{"type": "no_such_block"}]), "/blocks/0"),
        (json!([{"type": "actions", "elements": []}]), "/blocks/0/elements"),
        (json!([{"type": "actions", "elements": [button("a"), button("a")]}]), "/blocks/0"),
        (json!([{"type": "divider", "block_id": "d"}, {"type": "divider", "block_id": "d"}]), "/blocks/1"),
    ] {
        let errors = message(&blocks);
        assert!(errors.iter().any(|e| e.contains(place)), "{blocks}: {errors:?}");
    }
    assert!(!message(&Value::Array(vec![section("x"); 51])).is_empty());
}

#[test]
fn a_message_may_hold_so_much_text_and_no_more() {
    assert!(!too_long(&[section(&"x".repeat(2_900))]));
    assert!(too_long(&vec![section(&"x".repeat(2_900)); 5]));
    // As JSON a quotation mark takes two, and each block something for itself.
    assert!(!too_long(&vec![section(&"x".repeat(2_900)); 3]) && too_long(&vec![section(&"\"".repeat(2_900)); 3]));
    assert!(!too_long(&vec![section("x"); 50]) && too_long(&vec![section(&"x".repeat(150)); 50]));
}
