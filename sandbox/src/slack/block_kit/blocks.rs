//! The blocks themselves.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::elements::Place;
use super::{Checker, ID_MAX, Surface, any, plain};

const URL_MAX: usize = 3000;
const ALT_TEXT_MAX: usize = 2000;
const MARKDOWN_MAX: usize = 12_000;

impl Checker {
    pub(super) fn blocks(&mut self, blocks: &[Value], at: &str) {
        let max = if self.surface == Surface::Message { 50 } else { 100 };
        self.count(blocks.len(), at, 0, max);
        for (index, block) in blocks.iter().enumerate() {
            self.block(block, &format!("{at}/{index}"));
        }
        if self.focused > 1 {
            self.fail(at, "only one element may have focus_on_load");
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        let Some(map) = block.as_object() else {
            self.fail(at, "must provide an object");
            return;
        };
        if let Some(id) = self.string(map, "block_id", at, ID_MAX)
            && !self.block_ids.insert(id.to_owned())
        {
            let at = format!("{at}/block_id");
            self.fail(&at, format_args!("block_id {id} already exists"));
        }
        match map.get("type").and_then(Value::as_str) {
            Some("header") => self.header(block, at),
            Some("section") => self.section(block, at),
            Some("divider") => {
                self.object(block, at, &["type"], &["block_id"]);
            }
            Some("context") => self.context(block, at),
            Some("actions") => self.actions(block, at),
            Some("input") => self.input(block, at),
            Some("image") => self.image_block(block, at),
            Some("rich_text") => self.rich_text(block, at),
            Some("markdown") if self.surface == Surface::Message => self.markdown(block, at),
            Some("table") if self.surface == Surface::Message => self.table(block, at),
            Some("alert") if self.surface == Surface::Modal => self.alert(block, at),
            Some(kind @ ("markdown" | "table" | "alert")) => {
                self.fail(&format!("{at}/type"), format_args!("{kind} is not allowed on this surface"));
            }
            Some(kind) => self.fail(&format!("{at}/type"), format_args!("unsupported type: {kind}")),
            None => self.fail(at, "missing required field: type"),
        }
    }

    fn header(&mut self, block: &Value, at: &str) {
        if let Some(map) = self.object(block, at, &["type", "text"], &["block_id", "level"]) {
            self.text(map, "text", at, plain(150));
            self.whole_number(map, "level", at, 1, 4);
        }
    }

    fn section(&mut self, block: &Value, at: &str) {
        let optional = ["block_id", "text", "fields", "accessory", "expand"];
        let Some(map) = self.object(block, at, &["type"], &optional) else { return };
        if !map.contains_key("text") && !map.contains_key("fields") {
            self.fail(at, "missing required field: text or fields");
        }
        self.text(map, "text", at, any(3000));
        for (index, field) in self.array(map, "fields", at, 1, 10).iter().enumerate() {
            self.text_object(field, &format!("{at}/fields/{index}"), any(2000));
        }
        if let Some(accessory) = map.get("accessory") {
            let at = format!("{at}/accessory");
            self.element(accessory, &at, Place::Accessory, &mut BTreeSet::new());
        }
        self.boolean(map, "expand", at);
    }

    fn context(&mut self, block: &Value, at: &str) {
        let Some(map) = self.object(block, at, &["type", "elements"], &["block_id"]) else { return };
        for (index, element) in self.array(map, "elements", at, 1, 10).iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            if element["type"] == "image" {
                self.image_element(element, &at);
            } else {
                self.text_object(element, &at, any(3000));
            }
        }
    }

    fn actions(&mut self, block: &Value, at: &str) {
        let Some(map) = self.object(block, at, &["type", "elements"], &["block_id"]) else { return };
        let mut action_ids = BTreeSet::new();
        for (index, element) in self.array(map, "elements", at, 1, 25).iter().enumerate() {
            let at = format!("{at}/elements/{index}");
            self.element(element, &at, Place::Actions, &mut action_ids);
        }
    }

    fn input(&mut self, block: &Value, at: &str) {
        let optional = ["block_id", "hint", "optional", "dispatch_action"];
        let Some(map) = self.object(block, at, &["type", "label", "element"], &optional) else {
            return;
        };
        self.text(map, "label", at, plain(2000));
        self.text(map, "hint", at, plain(2000));
        self.boolean(map, "optional", at);
        self.boolean(map, "dispatch_action", at);
        if let Some(element) = map.get("element") {
            let at = format!("{at}/element");
            self.element(element, &at, Place::Input, &mut BTreeSet::new());
        }
    }

    fn image_block(&mut self, block: &Value, at: &str) {
        let optional = ["block_id", "title", "image_url", "slack_file"];
        if let Some(map) = self.object(block, at, &["type", "alt_text"], &optional) {
            self.text(map, "title", at, plain(2000));
            self.image_source(map, at);
        }
    }

    pub(super) fn image_element(&mut self, element: &Value, at: &str) {
        let optional = ["image_url", "slack_file"];
        if let Some(map) = self.object(element, at, &["type", "alt_text"], &optional) {
            self.image_source(map, at);
        }
    }

    fn image_source(&mut self, map: &Map<String, Value>, at: &str) {
        self.string(map, "alt_text", at, ALT_TEXT_MAX);
        self.web_address(map, "image_url", at);
        if map.contains_key("image_url") == map.contains_key("slack_file") {
            self.fail(at, "must have one of image_url and slack_file");
        }
    }

    /// A link under `key`: Slack takes no scheme but these from an app.
    pub(super) fn web_address(&mut self, map: &Map<String, Value>, key: &str, at: &str) {
        if let Some(url) = self.string(map, key, at, URL_MAX)
            && !["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme))
        {
            self.fail(&format!("{at}/{key}"), "must be a valid URL");
        }
    }

    fn markdown(&mut self, block: &Value, at: &str) {
        let Some(map) = self.object(block, at, &["type", "text"], &["block_id"]) else { return };
        if let Some(text) = self.string(map, "text", at, MARKDOWN_MAX) {
            self.markdown_chars += text.chars().count();
            if self.markdown_chars > MARKDOWN_MAX {
                let at = format!("{at}/text");
                self.fail(&at, "all markdown blocks together must be less than 12001 characters");
            }
        }
    }

    fn alert(&mut self, block: &Value, at: &str) {
        if let Some(map) = self.object(block, at, &["type", "text"], &["block_id", "level"]) {
            self.text(map, "text", at, any(3000));
            self.one_of(map, "level", at, &["default", "info", "warning", "error", "success"]);
        }
    }

    fn table(&mut self, block: &Value, at: &str) {
        let optional = ["block_id", "column_settings"];
        let Some(map) = self.object(block, at, &["type", "rows"], &optional) else { return };
        self.tables += 1;
        if self.tables > 1 {
            self.fail(at, "only one table is allowed");
        }
        for (y, row) in self.array(map, "rows", at, 1, 100).iter().enumerate() {
            let at = format!("{at}/rows/{y}");
            let Some(cells) = row.as_array() else {
                self.fail(&at, "must be an array");
                continue;
            };
            self.count(cells.len(), &at, 1, 20);
            for (x, cell) in cells.iter().enumerate() {
                self.cell(cell, &format!("{at}/{x}"));
            }
        }
        for (index, column) in self.array(map, "column_settings", at, 0, 20).iter().enumerate() {
            let at = format!("{at}/column_settings/{index}");
            if column.is_null() {
                continue;
            }
            if let Some(column) = self.object(column, &at, &[], &["align", "is_wrapped"]) {
                self.one_of(column, "align", &at, &["left", "center", "right"]);
                self.boolean(column, "is_wrapped", &at);
            }
        }
    }

    fn cell(&mut self, cell: &Value, at: &str) {
        match cell["type"].as_str() {
            Some("raw_text") => {
                if let Some(map) = self.object(cell, at, &["type", "text"], &[]) {
                    self.string(map, "text", at, 3000);
                }
            }
            Some("rich_text") => self.rich_text(cell, at),
            _ => self.fail(&format!("{at}/type"), "must be raw_text or rich_text"),
        }
    }
}
