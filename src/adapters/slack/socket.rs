//! Socket Mode: Slack's deliveries over a web socket that the bot opens, for teams that let nothing in.
