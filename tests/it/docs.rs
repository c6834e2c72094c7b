//! The documents against the code.

use std::fs;
use std::path::Path;

use irp::adapters::aws::check::{Actions, CONTAINS, ERADICATES, ORGANIZATION_CONTAINS, ORGANIZATION_READS, READS};
use irp::adapters::slack::scopes::SCOPES;
use irp::config::{Organisation, VARIABLES};
use irp::domain::action::ApiCall;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_variable_is_in_the_example_and_nothing_else_is() {
    let example = read(".env.example");
    let named: Vec<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect();
    for (name, _) in VARIABLES {
        assert!(named.contains(&name), ".env.example lacks {name}");
    }
    for name in named {
        assert!(VARIABLES.iter().any(|(n, _)| *n == name), ".env.example has {name}, which nothing reads");
    }
}

#[test]
fn every_variable_is_in_the_readme() {
    let readme = read("README.md");
    for (name, _) in VARIABLES {
        assert!(readme.contains(&format!("`{name}`")), "README.md lacks {name}");
    }
}

#[test]
fn the_example_organisation_is_taken() {
    let example = read("irp.example.toml");
    let as_it_is = Organisation::parse(&example, "irp.example.toml").unwrap();
    assert!(as_it_is.organization.is_none() && as_it_is.accounts.iter().all(|account| account.athena.is_none()));
    // And with all that it offers.
    let offered = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    let whole: Vec<String> = example.lines().map(offered).collect();
    let whole = Organisation::parse(&whole.join("\n"), "irp.example.toml").unwrap();
    assert!(whole.organization.is_some() && whole.accounts.iter().any(|account| account.athena.is_some()));
}

#[test]
fn the_slack_manifests_ask_for_the_scopes_that_are_needed() {
    for path in ["manifests/slack/app-http.yaml", "manifests/slack/app-socket-mode.yaml"] {
        let manifest = read(path);
        let asked: Vec<&str> = manifest
            .lines()
            .map(str::trim)
            .skip_while(|line| *line != "bot:")
            .take_while(|line| *line != "settings:")
            .filter_map(|line| line.strip_prefix("- "))
            .collect();
        for scope in SCOPES {
            assert!(asked.contains(&scope), "{path} lacks {scope}");
        }
        for scope in asked {
            assert!(SCOPES.contains(&scope) || scope.starts_with("groups:"), "{path} asks for {scope}: for what?");
        }
    }
}

/// The services whose permissions are compared.
const SERVICES: [&str; 11] = [
    "autoscaling",
    "iam",
    "cloudtrail",
    "ec2",
    "events",
    "guardduty",
    "identitystore",
    "lambda",
    "organizations",
    "rolesanywhere",
    "sso",
];

/// What a role of the template allows, from its name on to the next resource.
fn allowed(template: &str, role: &str) -> Vec<String> {
    let from = template.find(&format!("RoleName: {role}")).unwrap_or_else(|| panic!("no role {role}"));
    let rest = &template[from..];
    let rest = &rest[..rest.find("\n  # ").or_else(|| rest.find("\nOutputs:")).unwrap_or(rest.len())];
    let lines = rest.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("Action: "));
    let is_action = |line: &&str| {
        let service = line.split_once(':').map_or("", |(service, _)| service);
        let is_key_of_a_condition = line.contains(": ");
        SERVICES.contains(&service) && !line.ends_with('*') && !is_key_of_a_condition
    };
    lines.filter(is_action).map(str::to_owned).collect()
}

#[test]
fn the_roles_of_an_account_allow_what_the_bot_calls_and_nothing_else() {
    let (account, organization) =
        (read("manifests/aws/roles.cloudformation.yaml"), read("manifests/aws/organization.cloudformation.yaml"));
    let roles: [(&str, &str, &[Actions]); 5] = [
        (&account, "irp-reader", &READS),
        (&account, "irp-contain", &CONTAINS),
        (&account, "irp-eradicate", &ERADICATES),
        (&organization, "irp-org-reader", &ORGANIZATION_READS),
        (&organization, "irp-org-contain", &ORGANIZATION_CONTAINS),
    ];
    for (template, role, wanted) in roles {
        let mut wanted: Vec<&str> = wanted.iter().flat_map(|(_, actions)| *actions).copied().collect();
        // It is asked only by `irp check`.
        wanted.extend(role.ends_with("reader").then_some("iam:SimulatePrincipalPolicy"));
        let allowed = allowed(template, role);
        for action in &wanted {
            assert!(allowed.iter().any(|a| a == action), "{role} lacks {action}");
        }
        for action in &allowed {
            assert!(wanted.contains(&action.as_str()), "{role} allows {action}: for what?");
        }
    }
    let changes = CONTAINS.iter().chain(&ERADICATES).chain(&ORGANIZATION_CONTAINS);
    let changes: Vec<&str> = changes.flat_map(|(_, actions)| *actions).copied().collect();
    for action in ApiCall::ACTIONS {
        assert!(changes.contains(action), "no role is checked for {action}");
    }
    for action in changes {
        let asked = ApiCall::ACTIONS.contains(&action) || ApiCall::ALSO.contains(&action);
        assert!(asked, "{action} is never called");
    }
}
