//! The roles of `manifests/aws/` in the sandbox's accounts: nothing else is allowed to the bot.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::organization::ORGANIZATION;
use crate::program::command;
use crate::redis_server::RedisServer;
use crate::world::{ANA, CHRIS, ORGANISATION, World};

const BOT: &str = "arn:aws:iam::111122223333:user/irp-bot";

/// Lines of YAML with how far each is indented, as far as the templates need it: maps, lists, texts and the short forms of
/// CloudFormation's functions.
struct Lines {
    left: VecDeque<(usize, String)>,
    account: &'static str,
    /// How many accounts are given as parameters.
    accounts: usize,
    /// Whether the conditions hold.
    holds: bool,
}

impl Lines {
    /// What stands below the line `name` after the place `after`.
    fn below(template: &str, after: &str, name: &str, account: &'static str) -> Self {
        let from = template.find(after).unwrap_or_else(|| panic!("no {after}"));
        let indent = |line: &str| line.len() - line.trim_start().len();
        let lines =
            template[from..].lines().filter(|line| !matches!(line.trim_start().chars().next(), None | Some('#')));
        let mut lines = lines.skip_while(|line| line.trim() != name);
        let outside = indent(lines.next().unwrap_or_else(|| panic!("no {name} after {after}")));
        let inside = lines.take_while(|line| indent(line) > outside);
        let left = inside.map(|line| (indent(line), line.trim().to_owned())).collect();
        Self { left, account, accounts: 0, holds: false }
    }

    fn next_at(&self, indent: usize) -> Option<&str> {
        self.left.front().filter(|(at, _)| *at == indent).map(|(_, text)| text.as_str())
    }

    fn value(&mut self) -> Value {
        let (indent, first) = self.left.front().cloned().expect("a value");
        if first.starts_with("- ") {
            let mut all = Vec::new();
            while let Some(rest) = self.next_at(indent).and_then(|text| text.strip_prefix("- ")) {
                self.left[0] = (indent + 2, rest.trim_start().to_owned());
                all.push(self.value());
            }
            return Value::Array(all);
        }
        if key(&first).is_none() {
            self.left.pop_front();
            return self.plain(&first);
        }
        let mut map = Map::new();
        while let Some((name, rest)) = self.next_at(indent).and_then(key) {
            let (name, rest) = (name.to_owned(), rest.to_owned());
            self.left.pop_front();
            let value = if rest.is_empty() { self.value() } else { self.plain(&rest) };
            map.insert(name, value);
        }
        Value::Object(map)
    }

    fn plain(&mut self, text: &str) -> Value {
        let unquoted = |text: &str| text.trim().trim_matches('"').to_owned();
        match text {
            // Of a condition that does not hold, the third.
            "!If" => return self.value()[if self.holds { 1 } else { 2 }].clone(),
            "!Split" => {
                let of = self.value();
                return of[1].as_str().unwrap().split(of[0].as_str().unwrap()).map(|part| json!(part)).collect();
            }
            "!Sub" => {
                let of = self.value();
                let mut text = of[0].as_str().unwrap().to_owned();
                for (name, value) in of[1].as_object().unwrap() {
                    text = text.replace(&format!("${{{name}}}"), value.as_str().unwrap());
                }
                return json!(text);
            }
            _ => {}
        }
        match text.split_once(' ') {
            Some(("!Ref", "AWS::NoValue")) => Value::Null,
            Some(("!Ref", "BotPrincipalArn")) => json!(BOT),
            Some(("!Join", of)) => {
                let (between, all) = of.trim_matches(['[', ']']).rsplit_once(", ").unwrap();
                assert_eq!(all, "!Ref AccountIds");
                json!(vec![self.account; self.accounts].join(unquoted(between).as_str()))
            }
            Some(("!Sub", text)) => json!(
                unquoted(text)
                    .replace("${AWS::Partition}", "aws")
                    .replace("${AWS::AccountId}", self.account)
                    .replace("${ManagementAccountId}", "999988887777")
            ),
            _ => match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
                Some(all) => all.split(',').map(|one| json!(unquoted(one))).collect(),
                None => json!(unquoted(text)),
            },
        }
    }
}

/// A key and what follows it on its line; action names and conditions have colons too, but no space after them.
fn key(line: &str) -> Option<(&str, &str)> {
    let is_text = line.starts_with(['"', '!', '[']);
    let found = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")));
    found.filter(|_| !is_text)
}

fn text(template: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/aws").join(template)).unwrap()
}

/// The policy of a role in a template, as IAM has it once it is deployed in this account.
fn policy(template: &str, role: &str, account: &'static str) -> String {
    let text = text(template);
    let mut policy = Lines::below(&text, &format!("RoleName: {role}\n"), "PolicyDocument:", account).value();
    policy["Statement"].as_array_mut().unwrap().retain(|statement| !statement.is_null());
    policy.to_string()
}

/// Gives the bot's roles what the templates give them, and takes the rest.
fn deployed(w: &World) {
    for (role, name) in [("irp-reader", "read"), ("irp-contain", "contain"), ("irp-eradicate", "eradicate")] {
        let document = policy("roles.cloudformation.yaml", role, "111122223333");
        w.account.put_role_policy_directly(role, name, Some(&document));
    }
    w.account.put_role_policy_directly("irp-reader", "logs", None);
    for (role, name) in [("irp-org-reader", "read"), ("irp-org-contain", "contain")] {
        let document = policy("organization.cloudformation.yaml", role, "999988887777");
        w.account.put_management_policy_directly(role, name, &document);
    }
}

#[test]
fn the_bots_policies_have_room_for_as_many_accounts_as_their_template_says() {
    /// Characters that IAM takes in a managed policy.
    const CHARS_MAX: usize = 6_144;
    let template = text("bot.cloudformation.yaml");
    let policies = |accounts: usize| {
        ["irp-bot", "irp-bot-contain", "irp-bot-eradicate"].map(|name| {
            let after = format!("ManagedPolicyName: {name}\n");
            let lines = Lines::below(&template, &after, "PolicyDocument:", "111122223333");
            Lines { accounts, holds: true, ..lines }.value()
        })
    };
    let longest = |accounts: usize| policies(accounts).iter().map(|policy| policy.to_string().len()).max().unwrap();
    for (policy, role) in policies(100).iter().zip(["irp-reader", "irp-contain", "irp-eradicate"]) {
        let resources = policy["Statement"][0]["Resource"].as_array().unwrap();
        assert_eq!(resources.len(), 100, "{policy}");
        assert!(resources.iter().all(|arn| *arn == format!("arn:aws:iam::111122223333:role/{role}")), "{policy}");
        let statements = policy["Statement"].as_array().unwrap();
        assert!(statements.iter().all(|statement| statement["Effect"] == "Allow"), "{policy}");
    }
    assert!(longest(100) <= CHARS_MAX && template.contains("127 at most"));
    assert!(longest(127) <= CHARS_MAX && longest(128) > CHARS_MAX, "{} and {}", longest(127), longest(128));
    for policy in ["BotPolicy", "BotContainPolicy", "BotEradicatePolicy"] {
        assert!(template.contains(&format!("        - !Ref {policy}\n")), "{policy} is the bot's");
    }
}

#[test]
fn identity_centers_own_key_is_used_through_it_alone_and_only_where_there_is_one() {
    let template = text("organization.cloudformation.yaml");
    for (role, actions) in [
        ("irp-org-reader", json!("kms:Decrypt")),
        ("irp-org-contain", json!(["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext"])),
    ] {
        let lines = Lines::below(&template, &format!("RoleName: {role}\n"), "PolicyDocument:", "999988887777");
        let whole = Lines { holds: true, ..lines }.value();
        let key =
            whole["Statement"].as_array().unwrap().iter().find(|statement| statement["Sid"] == "IdentityCenterKey");
        let key = key.unwrap_or_else(|| panic!("{role}: {whole}"));
        assert_eq!((&key["Action"], &key["Resource"]), (&actions, &json!("!Ref IdentityCenterKeyArn")));
        let through = json!(["identitystore.*.amazonaws.com", "sso.*.amazonaws.com"]);
        assert_eq!(key["Condition"]["StringLike"]["kms:ViaService"], through);
        assert!(!policy("organization.cloudformation.yaml", role, "999988887777").contains("kms:"), "{role}");
    }
}

#[test]
fn the_reader_may_call_all_that_a_search_of_the_logs_calls() {
    let template = text("roles.cloudformation.yaml");
    let (_, after) = template.split_once("PolicyName: read-logs\n").unwrap();
    let (granted, _) = after.split_once("\n  ContainRole:\n").unwrap();
    let is_call = |part: &&str| {
        part.strip_prefix("athena:")
            .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains(' '))
    };
    let called: BTreeSet<&str> = include_str!("../../src/adapters/aws/athena.rs").split('"').filter(is_call).collect();
    assert_eq!(called.len(), 5, "{called:?}");
    for call in called {
        assert!(granted.contains(&format!(" {call}\n")), "{call}");
    }
    // What is on no workgroup is on the data catalog.
    let (_, columns) = granted.split_once("Action: athena:GetTableMetadata\n").unwrap();
    let resource = columns.lines().next().unwrap();
    assert!(resource.ends_with(":athena:*:${AWS::AccountId}:datacatalog/AwsDataCatalog\""), "{resource}");
}

#[tokio::test(flavor = "multi_thread")]
async fn irp_check_finds_nothing_wrong_with_the_roles_that_are_shipped() {
    let redis = RedisServer::start();
    let w = World::without_bot(false).await;
    deployed(&w);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("irp.toml"), format!("{ORGANISATION}{ORGANIZATION}")).unwrap();
    let check = async || {
        let mut command = command(&w, &redis, &dir, 0);
        command.arg("check");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (well, said) = check().await;
    assert!(well && !said.contains("WRONG"), "{said}");
    for role in ["irp-reader", "irp-contain", "irp-eradicate", "irp-org-reader", "irp-org-contain"] {
        assert!(
            said.lines().any(|line| line.starts_with("ok") && line.contains(&format!("{role} allows all"))),
            "{said}"
        );
    }
    // Each statement is needed: without that on instances the check says so.
    let short = policy("roles.cloudformation.yaml", "irp-contain", "111122223333").replace(":instance/*", ":volume/*");
    w.account.put_role_policy_directly("irp-contain", "contain", Some(&short));
    let narrow = policy("organization.cloudformation.yaml", "irp-org-contain", "999988887777");
    let narrow = narrow.replace(":account/*", ":account/o-another/*");
    w.account.put_management_policy_directly("irp-org-contain", "contain", &narrow);
    let (well, said) = check().await;
    assert!(!well, "{said}");
    for (role, action, template) in [
        ("irp-contain", "ec2:ModifyInstanceMetadataOptions", "roles.cloudformation.yaml"),
        (
            "irp-org-contain",
            "organizations:AttachPolicy, organizations:DetachPolicy",
            "organization.cloudformation.yaml",
        ),
    ] {
        let wrong = format!("role/{role} does not allow {action}: see manifests/aws/{template}");
        assert!(said.lines().any(|line| line.starts_with("WRONG") && line.contains(&wrong)), "{wrong}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_roles_are_enough_to_contain() {
    let w = World::start().await;
    deployed(&w);
    w.incident().await;
    for card in ["· Deactivate access key", "· Revoke all sessions minted"] {
        w.until("it is offered", |w| w.offers(card, "irp.request")).await;
        w.carry_out(card, ANA, CHRIS).await;
    }
    w.end().await;
}
