//! Modals and Home tabs.

use serde_json::{Map, Value};

use super::{Checker, ID_MAX, Surface, plain};

/// What `views.*` was asked to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViewKind {
    Modal,
    Home,
}

const FRAME_TEXT_MAX: usize = 24;
const PRIVATE_METADATA_MAX: usize = 3000;

/// All that Slack would object to in this view, addressed below `/view`.
pub(crate) fn check_view(view: &Value, kind: ViewKind) -> Vec<String> {
    let (surface, name) = match kind {
        ViewKind::Modal => (Surface::Modal, "modal"),
        ViewKind::Home => (Surface::Home, "home"),
    };
    let mut checker = Checker::new(surface);
    if view["type"] != name {
        checker.fail("/view/type", format_args!("must be {name}"));
        return checker.errors;
    }
    let common = ["private_metadata", "callback_id", "external_id"];
    let (required, own): (&[&str], &[&str]) = match kind {
        ViewKind::Modal => {
            (&["type", "title", "blocks"], &["submit", "close", "clear_on_close", "notify_on_close", "submit_disabled"])
        }
        ViewKind::Home => (&["type", "blocks"], &[]),
    };
    let optional = [&common, own].concat();
    if let Some(map) = checker.object(view, "/view", required, &optional) {
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
