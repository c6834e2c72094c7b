//! Interactive elements and the composition objects in them.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value};

use super::{Checker, ID_MAX, any, plain};

/// Where an element stands in its block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Accessory,
    Actions,
    Input,
}

const OPTIONS_MAX: usize = 100;
const INPUT_MAX: u64 = 3000;

impl Checker {
    pub(super) fn element(&mut self, element: &Value, at: &str, place: Place, action_ids: &mut BTreeSet<String>) {
        let Some(kind) = element["type"].as_str() else {
            self.fail(at, "missing required field: type");
            return;
        };
        if !stands_in(kind, place) {
            self.fail(&format!("{at}/type"), format_args!("unsupported type: {kind}"));
            return;
        }
        if kind == "image" {
            self.image_element(element, at);
            return;
        }
        let (required, optional) = keys(kind);
        let optional = [optional, &["action_id"]].concat();
        let Some(map) = self.object(element, at, &[required, &["type"]].concat(), &optional) else {
            return;
        };
        if let Some(id) = self.string(map, "action_id", at, ID_MAX)
            && !action_ids.insert(id.to_owned())
        {
            let at = format!("{at}/action_id");
            self.fail(&at, format_args!("action_id {id} already exists"));
        }
        self.text(map, "placeholder", at, plain(150));
        if let Some(confirm) = map.get("confirm") {
            self.confirm(confirm, &format!("{at}/confirm"));
        }
        if self.boolean(map, "focus_on_load", at) {
            self.focused += 1;
        }
        match kind {
            "button" => self.button(map, at),
            "static_select" | "multi_static_select" => self.select(map, at),
            "overflow" => {
                self.options(map, at, &Choice { min: 1, max: 5, mrkdwn: false, url: true });
            }
            "checkboxes" | "radio_buttons" => {
                self.options(map, at, &Choice { min: 1, max: 10, mrkdwn: true, url: false });
                self.initial_choice(map, at);
            }
            "datepicker" => {
                self.parsed(map, "initial_date", at, "a date", |text| {
                    NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
                });
            }
            "timepicker" => {
                self.parsed(map, "initial_time", at, "a time", |text| NaiveTime::parse_from_str(text, "%H:%M").is_ok());
                self.string(map, "timezone", at, 100);
            }
            "datetimepicker" => {
                self.whole_number(map, "initial_date_time", at, 1_000_000_000, 9_999_999_999);
            }
            "plain_text_input" => self.text_input(map, at),
            "number_input" => self.number_input(map, at),
            "email_text_input" | "url_text_input" => {
                self.string(map, "initial_value", at, usize::MAX);
                self.dispatch_config(map, at);
            }
            _ => self.picker(map, at),
        }
    }

    fn button(&mut self, map: &Map<String, Value>, at: &str) {
        self.text(map, "text", at, plain(75));
        self.string(map, "value", at, 2000);
        self.web_address(map, "url", at);
        self.one_of(map, "style", at, &["primary", "danger"]);
        self.string(map, "accessibility_label", at, 75);
    }

    fn select(&mut self, map: &Map<String, Value>, at: &str) {
        let choice = Choice { min: 1, max: OPTIONS_MAX, mrkdwn: false, url: false };
        if map.contains_key("options") == map.contains_key("option_groups") {
            self.fail(at, "must have one of options and option_groups");
        }
        self.options(map, at, &choice);
        for (index, group) in self.array(map, "option_groups", at, 1, 100).iter().enumerate() {
            let at = format!("{at}/option_groups/{index}");
            if let Some(group) = self.object(group, &at, &["label", "options"], &[]) {
                self.text(group, "label", &at, plain(75));
                self.options(group, &at, &choice);
            }
        }
        self.whole_number(map, "max_selected_items", at, 1, u64::MAX);
        self.initial_choice(map, at);
    }

    /// Menus of people, channels and conversations.
    fn picker(&mut self, map: &Map<String, Value>, at: &str) {
        for key in ["initial_user", "initial_channel", "initial_conversation"] {
            self.string(map, key, at, ID_MAX);
        }
        for key in ["initial_users", "initial_channels", "initial_conversations"] {
            for (index, id) in self.array(map, key, at, 1, usize::MAX).iter().enumerate() {
                if !id.is_string() {
                    self.fail(&format!("{at}/{key}/{index}"), "must be a string");
                }
            }
        }
        self.boolean(map, "default_to_current_conversation", at);
        self.boolean(map, "response_url_enabled", at);
        self.whole_number(map, "max_selected_items", at, 1, u64::MAX);
        if let Some(filter) = map.get("filter") {
            let keys = ["include", "exclude_external_shared_channels", "exclude_bot_users"];
            self.object(filter, &format!("{at}/filter"), &[], &keys);
        }
    }

    fn options(&mut self, map: &Map<String, Value>, at: &str, choice: &Choice) {
        let options = self.array(map, "options", at, choice.min, choice.max);
        for (index, option) in options.iter().enumerate() {
            self.option(option, &format!("{at}/options/{index}"), choice);
        }
    }

    fn option(&mut self, option: &Value, at: &str, choice: &Choice) {
        let optional: &[&str] = if choice.url { &["description", "url"] } else { &["description"] };
        let Some(map) = self.object(option, at, &["text", "value"], optional) else { return };
        let text = if choice.mrkdwn { any(75) } else { plain(75) };
        self.text(map, "text", at, text);
        self.text(map, "description", at, text);
        self.string(map, "value", at, 150);
        self.web_address(map, "url", at);
    }

    /// What is chosen at the start must be one of the options, letter for letter.
    fn initial_choice(&mut self, map: &Map<String, Value>, at: &str) {
        let offered = offered(map);
        if let Some(initial) = map.get("initial_option")
            && !offered.contains(&initial)
        {
            self.fail(&format!("{at}/initial_option"), "must exactly match one of the options");
        }
        let chosen = self.array(map, "initial_options", at, 1, OPTIONS_MAX);
        for (index, initial) in chosen.iter().enumerate() {
            if !offered.contains(&initial) {
                let at = format!("{at}/initial_options/{index}");
                self.fail(&at, "must exactly match one of the options");
            }
        }
    }

    fn text_input(&mut self, map: &Map<String, Value>, at: &str) {
        self.boolean(map, "multiline", at);
        let min = self.whole_number(map, "min_length", at, 0, INPUT_MAX).unwrap_or(0);
        let max = self.whole_number(map, "max_length", at, 1, INPUT_MAX).unwrap_or(INPUT_MAX);
        if min > max {
            self.fail(&format!("{at}/min_length"), "must not be more than max_length");
        }
        if let Some(Value::String(text)) = map.get("initial_value") {
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            self.chars(text, &format!("{at}/initial_value"), 0, max);
        } else if map.contains_key("initial_value") {
            self.fail(&format!("{at}/initial_value"), "must be a string");
        }
        self.dispatch_config(map, at);
    }

    fn number_input(&mut self, map: &Map<String, Value>, at: &str) {
        self.boolean(map, "is_decimal_allowed", at);
        for key in ["initial_value", "min_value", "max_value"] {
            self.parsed(map, key, at, "a number", |text| text.parse::<f64>().is_ok());
        }
        self.dispatch_config(map, at);
    }

    fn dispatch_config(&mut self, map: &Map<String, Value>, at: &str) {
        let Some(config) = map.get("dispatch_action_config") else { return };
        let at = format!("{at}/dispatch_action_config");
        if let Some(config) = self.object(config, &at, &[], &["trigger_actions_on"]) {
            for (index, on) in self.array(config, "trigger_actions_on", &at, 1, 2).iter().enumerate() {
                if on != "on_enter_pressed" && on != "on_character_entered" {
                    let at = format!("{at}/trigger_actions_on/{index}");
                    self.fail(&at, "must be on_enter_pressed or on_character_entered");
                }
            }
        }
    }

    fn parsed(&mut self, map: &Map<String, Value>, key: &str, at: &str, what: &str, is: fn(&str) -> bool) {
        if let Some(text) = self.string(map, key, at, ID_MAX)
            && !is(text)
        {
            self.fail(&format!("{at}/{key}"), format_args!("must be {what}"));
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        let Some(map) = self.object(confirm, at, &["title", "text", "confirm", "deny"], &["style"]) else {
            return;
        };
        self.text(map, "title", at, plain(100));
        self.text(map, "text", at, any(300));
        self.text(map, "confirm", at, plain(30));
        self.text(map, "deny", at, plain(30));
        self.one_of(map, "style", at, &["primary", "danger"]);
    }
}

/// How many options there may be and what may be in one.
struct Choice {
    min: usize,
    max: usize,
    mrkdwn: bool,
    url: bool,
}

/// All options of a menu, in groups or not.
pub(in crate::slack) fn offered(element: &Map<String, Value>) -> Vec<&Value> {
    let groups = element.get("option_groups").and_then(Value::as_array).into_iter().flatten();
    let grouped = groups.filter_map(|group| group["options"].as_array()).flatten();
    element.get("options").and_then(Value::as_array).into_iter().flatten().chain(grouped).collect()
}

fn stands_in(kind: &str, place: Place) -> bool {
    match kind {
        "image" => place == Place::Accessory,
        "button" | "overflow" => place != Place::Input,
        "plain_text_input" | "number_input" | "email_text_input" | "url_text_input" => place == Place::Input,
        "datetimepicker" => place != Place::Accessory,
        _ => !keys(kind).1.is_empty(),
    }
}

/// Required and optional keys besides `type` and `action_id`; none at all for an unknown type.
fn keys(kind: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        "button" => (&["text"], &["value", "url", "style", "confirm", "accessibility_label"]),
        "static_select" => {
            (&[], &["options", "option_groups", "initial_option", "placeholder", "confirm", "focus_on_load"])
        }
        "multi_static_select" => (
            &[],
            &[
                "options",
                "option_groups",
                "initial_options",
                "max_selected_items",
                "placeholder",
                "confirm",
                "focus_on_load",
            ],
        ),
        "users_select" => (&[], &["initial_user", "placeholder", "confirm", "focus_on_load"]),
        "multi_users_select" => {
            (&[], &["initial_users", "max_selected_items", "placeholder", "confirm", "focus_on_load"])
        }
        "channels_select" => {
            (&[], &["initial_channel", "response_url_enabled", "placeholder", "confirm", "focus_on_load"])
        }
        "multi_channels_select" => {
            (&[], &["initial_channels", "max_selected_items", "placeholder", "confirm", "focus_on_load"])
        }
        "conversations_select" => (
            &[],
            &[
                "initial_conversation",
                "default_to_current_conversation",
                "response_url_enabled",
                "filter",
                "placeholder",
                "confirm",
                "focus_on_load",
            ],
        ),
        "multi_conversations_select" => (
            &[],
            &[
                "initial_conversations",
                "default_to_current_conversation",
                "max_selected_items",
                "filter",
                "placeholder",
                "confirm",
                "focus_on_load",
            ],
        ),
        "overflow" => (&["options"], &["confirm"]),
        "checkboxes" => (&["options"], &["initial_options", "confirm", "focus_on_load"]),
        "radio_buttons" => (&["options"], &["initial_option", "confirm", "focus_on_load"]),
        "datepicker" => (&[], &["initial_date", "placeholder", "confirm", "focus_on_load"]),
        "timepicker" => (&[], &["initial_time", "timezone", "placeholder", "confirm", "focus_on_load"]),
        "datetimepicker" => (&[], &["initial_date_time", "confirm", "focus_on_load"]),
        "plain_text_input" => (
            &[],
            &[
                "multiline",
                "min_length",
                "max_length",
                "initial_value",
                "dispatch_action_config",
                "placeholder",
                "focus_on_load",
            ],
        ),
        "number_input" => (
            &["is_decimal_allowed"],
            &["min_value", "max_value", "initial_value", "dispatch_action_config", "placeholder", "focus_on_load"],
        ),
        "email_text_input" | "url_text_input" => {
            (&[], &["initial_value", "dispatch_action_config", "placeholder", "focus_on_load"])
        }
        _ => (&[], &[]),
    }
}
