//! Rich text: sections, lists, quotes and preformatted text, and what stands in them.

use serde_json::{Map, Value};

use super::Checker;

impl Checker {
    pub(super) fn rich_text(&mut self, block: &Value, at: &str) {
        let Some(map) = self.object(block, at, &["type", "elements"], &["block_id"]) else { return };
        for (index, part) in self.array(map, "elements", at, 1, usize::MAX).iter().enumerate() {
            self.part(part, &format!("{at}/elements/{index}"), true);
        }
    }

    fn part(&mut self, part: &Value, at: &str, outermost: bool) {
        let required = ["type", "elements"];
        match part["type"].as_str() {
            Some("rich_text_section") => {
                if let Some(map) = self.object(part, at, &required, &[]) {
                    self.inlines(map, at);
                }
            }
            Some("rich_text_quote") if outermost => {
                if let Some(map) = self.object(part, at, &required, &["border"]) {
                    self.whole_number(map, "border", at, 0, 1);
                    self.inlines(map, at);
                }
            }
            Some("rich_text_preformatted") if outermost => {
                if let Some(map) = self.object(part, at, &required, &["border", "language"]) {
                    self.whole_number(map, "border", at, 0, 1);
                    self.inlines(map, at);
                }
            }
            Some("rich_text_list") if outermost => {
                let required = ["type", "style", "elements"];
                let optional = ["indent", "offset", "border"];
                let Some(map) = self.object(part, at, &required, &optional) else { return };
                self.one_of(map, "style", at, &["bullet", "ordered"]);
                self.whole_number(map, "indent", at, 0, 8);
                self.whole_number(map, "offset", at, 0, u64::MAX);
                self.whole_number(map, "border", at, 0, 1);
                for (index, item) in self.array(map, "elements", at, 1, usize::MAX).iter().enumerate() {
                    self.part(item, &format!("{at}/elements/{index}"), false);
                }
            }
            _ => self.fail(&format!("{at}/type"), "unsupported type in rich_text"),
        }
    }

    fn inlines(&mut self, map: &Map<String, Value>, at: &str) {
        for (index, inline) in self.array(map, "elements", at, 0, usize::MAX).iter().enumerate() {
            self.inline(inline, &format!("{at}/elements/{index}"));
        }
    }

    fn inline(&mut self, inline: &Value, at: &str) {
        let (required, optional): (&[&str], &[&str]) = match inline["type"].as_str() {
            Some("text") => (&["type", "text"], &["style"]),
            Some("link") => (&["type", "url"], &["text", "unsafe", "style"]),
            Some("user") => (&["type", "user_id"], &["style"]),
            Some("usergroup") => (&["type", "usergroup_id"], &["style"]),
            Some("channel") => (&["type", "channel_id"], &["style"]),
            Some("emoji") => (&["type", "name"], &["unicode", "style"]),
            Some("broadcast") => (&["type", "range"], &["style"]),
            Some("date") => (&["type", "timestamp", "format"], &["url", "fallback", "style"]),
            Some("color") => (&["type", "value"], &["style"]),
            _ => {
                self.fail(&format!("{at}/type"), "unsupported type in rich_text");
                return;
            }
        };
        let Some(map) = self.object(inline, at, required, optional) else { return };
        for key in ["text", "user_id", "usergroup_id", "channel_id", "name", "format", "fallback", "value"] {
            self.string(map, key, at, usize::MAX);
        }
        self.web_address(map, "url", at);
        self.one_of(map, "range", at, &["here", "channel", "everyone"]);
        self.whole_number(map, "timestamp", at, 0, u64::MAX);
        if let Some(style) = map.get("style") {
            let at = format!("{at}/style");
            let styles = ["bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"];
            if let Some(style) = self.object(style, &at, &[], &styles) {
                for key in styles {
                    self.boolean(style, key, &at);
                }
            }
        }
    }
}
