//! Modals.

use serde_json::{Map, Value};

use super::{Checker, ID_MAX, Surface, plain};

const FRAME_TEXT_MAX: usize = 24;
const PRIVATE_METADATA_MAX: usize = 3000;

/// All that Slack would object to in this modal, addressed below `/view`.
pub(crate) fn check_view(view: &Value) -> Vec<String> {
    let mut checker = Checker::new(Surface::Modal);
    if view["type"] != "modal" {
        checker.fail("/view/type", "must be modal");
        return checker.errors;
    }
    let optional = [
        "private_metadata",
        "callback_id",
        "external_id",
        "submit",
        "close",
        "clear_on_close",
        "notify_on_close",
        "submit_disabled",
    ];
    if let Some(map) = checker.object(view, "/view", &["type", "title", "blocks"], &optional) {
        checker.view(map);
    }
    checker.errors
}

impl Checker {
    fn view(&mut self, map: &Map<String, Value>) {
        let at = "/view";
        for key in ["title", "submit", "close"] {
            self.text(map, key, at, plain(FRAME_TEXT_MAX));
        }
        for key in ["clear_on_close", "notify_on_close", "submit_disabled"] {
            self.boolean(map, key, at);
        }
        self.possibly_empty(map, "private_metadata", PRIVATE_METADATA_MAX);
        self.possibly_empty(map, "callback_id", ID_MAX);
        self.possibly_empty(map, "external_id", ID_MAX);
        let blocks = self.array(map, "blocks", at, 0, usize::MAX);
        self.blocks(blocks, "/view/blocks");
        if self.surface == Surface::Modal
            && !map.contains_key("submit")
            && blocks.iter().any(|block| block["type"] == "input")
        {
            self.fail(at, "missing required field: submit (a view with input blocks needs it)");
        }
    }

    fn possibly_empty(&mut self, map: &Map<String, Value>, key: &str, max: usize) {
        match map.get(key) {
            None => {}
            Some(Value::String(text)) => self.chars(text, &format!("/view/{key}"), 0, max),
            Some(_) => self.fail(&format!("/view/{key}"), "must be a string"),
        }
    }
}
