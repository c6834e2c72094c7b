//! What a call means to an incident: from a table for those that are known, by its verb for all others.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::record::Record;

/// The table; its head says what the columns are and where the rows come from.
pub const TABLE: &str = include_str!("classification.tsv");

/// What a responder has to do with a call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Makes another credential, or moves to another machine: the trail goes on there.
    CredentialMinting,
    /// Leaves a way back in.
    Persistence,
    /// Gives itself or others more rights.
    PrivilegeEscalation,
    /// Switches off what would show it.
    DefenseEvasion,
    /// Takes secrets or data.
    DataAccess,
    /// Carries data out, or opens it to others.
    Exfiltration,
    /// Destroys, stops or locks out.
    Impact,
    /// Makes what costs money or works for the thief.
    ResourceCreation,
    /// Looks around.
    Discovery,
    /// Changes something else.
    Modification,
}

impl Category {
    /// All, the gravest first.
    pub const ALL: [Self; 10] = [
        Self::CredentialMinting,
        Self::Persistence,
        Self::PrivilegeEscalation,
        Self::DefenseEvasion,
        Self::Impact,
        Self::Exfiltration,
        Self::DataAccess,
        Self::ResourceCreation,
        Self::Modification,
        Self::Discovery,
    ];

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::CredentialMinting => "credentials and moving on",
            Self::Persistence => "ways back in",
            Self::PrivilegeEscalation => "more rights",
            Self::DefenseEvasion => "covering tracks",
            Self::DataAccess => "secrets and data read",
            Self::Exfiltration => "data carried out",
            Self::Impact => "destroyed or stopped",
            Self::ResourceCreation => "resources made",
            Self::Discovery => "looking around",
            Self::Modification => "other changes",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "credential_minting" => Self::CredentialMinting,
            "persistence" => Self::Persistence,
            "privilege_escalation" => Self::PrivilegeEscalation,
            "defense_evasion" => Self::DefenseEvasion,
            "data_access" => Self::DataAccess,
            "exfiltration" => Self::Exfiltration,
            "impact" => Self::Impact,
            "resource_creation" => Self::ResourceCreation,
            "discovery" => Self::Discovery,
            "modification" => Self::Modification,
            _ => return None,
        })
    }
}

/// What a call means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Meaning {
    /// In a word.
    pub category: Category,
    /// ATT&CK v18 techniques, separated by commas.
    pub attack_v18: &'static str,
    /// ATT&CK v19 techniques, separated by commas.
    pub attack_v19: &'static str,
    /// Whether the table names the call; otherwise its verb has decided.
    pub named: bool,
}

impl Meaning {
    /// One that the table does not have.
    pub const fn new(category: Category, attack_v18: &'static str, attack_v19: &'static str) -> Self {
        Self { category, attack_v18, attack_v19, named: true }
    }
}

static NAMED: LazyLock<HashMap<(&str, &str), Meaning>> = LazyLock::new(|| {
    let mut named = HashMap::new();
    for line in TABLE.lines().filter(|l| !l.starts_with('#')) {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap_or("");
        let (source, name, category) = (column(), column(), column());
        let technique = |text: &'static str| if text == "-" { "" } else { text };
        let (v18, v19) = (technique(column()), technique(column()));
        if let Some(category) = Category::parse(category) {
            named.insert((source, name), Meaning::new(category, v18, v19));
        }
    }
    named
});

/// Verbs of calls that read.
const READING: [&str; 22] = [
    "Get", "List", "Describe", "Head", "Search", "Lookup", "BatchGet", "Query", "Scan", "Select", "Check", "Test",
    "Validate", "Estimate", "Simulate", "View", "Preview", "Discover", "Filter", "Download", "Batch", "Is",
];
const CREATING: [&str; 13] = [
    "Create",
    "Run",
    "Register",
    "Import",
    "Allocate",
    "Launch",
    "Start",
    "Request",
    "Purchase",
    "Provision",
    "Copy",
    "Restore",
    "Build",
];
const DESTROYING: [&str; 17] = [
    "Delete",
    "Terminate",
    "Stop",
    "Disable",
    "Remove",
    "Purge",
    "Deregister",
    "Revoke",
    "Cancel",
    "Release",
    "Detach",
    "Disassociate",
    "BatchDelete",
    "Destroy",
    "Unsubscribe",
    "Leave",
    "Reject",
];

fn begins(name: &str, verbs: &[&str]) -> bool {
    verbs.iter().any(|verb| {
        name.strip_prefix(verb)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| !c.is_ascii_lowercase()))
    })
}

/// What a call means by its name alone. `read_only` is AWS's own word, where there is one.
pub fn by_name(source: &str, name: &str, read_only: Option<bool>) -> Meaning {
    if let Some(meaning) = NAMED.get(&(source, name)) {
        return *meaning;
    }
    let category = if begins(name, &CREATING) && read_only != Some(true) {
        Category::ResourceCreation
    } else if begins(name, &DESTROYING) && read_only != Some(true) {
        Category::Impact
    } else if read_only == Some(true) || (read_only.is_none() && begins(name, &READING)) {
        Category::Discovery
    } else {
        Category::Modification
    };
    Meaning { category, attack_v18: "", attack_v19: "", named: false }
}

/// Whether a call changes something: AWS's own word, else the verb's. That it went through a VPC endpoint changes nothing.
pub fn changes(record: &Record<'_>) -> bool {
    let by_verb = || !begins(record.name(), &READING);
    !record.is_network_activity() && record.read_only.map_or_else(by_verb, |read_only| !read_only)
}

/// How a call went.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what was asked.
    Succeeded,
    /// AWS refused it for want of rights.
    Denied,
    /// It did not work for another reason.
    Failed,
}

impl Outcome {
    /// How this record's call went.
    pub fn of(record: &Record<'_>) -> Self {
        const DENIALS: [&str; 6] = [
            "AccessDenied",
            "UnauthorizedOperation",
            "NotAuthorized",
            "AuthorizationError",
            "UnauthorizedAccess",
            "InsufficientPrivileges",
        ];
        if record.succeeded() {
            return Self::Succeeded;
        }
        let code = record.error_code.as_deref().unwrap_or("");
        let denied = DENIALS.iter().any(|denial| code.contains(denial)) || code == "Forbidden";
        if denied { Self::Denied } else { Self::Failed }
    }

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_sorted_and_long_enough() {
        let rows: Vec<Vec<&str>> =
            TABLE.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').collect()).collect();
        assert!(rows.len() >= 600 && rows.is_sorted());
        for row in &rows {
            let [source, name, category, v18, v19] = row[..] else { panic!("{row:?}") };
            assert!(!source.contains('.') && super::super::record::unversioned(name) == name, "{row:?}");
            assert!(Category::parse(category).is_some(), "{row:?}");
            let technique = |t: &str| {
                let digits = |t: &str, n| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
                let bare = t.strip_prefix('T').unwrap_or("");
                bare.split_once('.').map_or_else(|| digits(bare, 4), |(a, b)| digits(a, 4) && digits(b, 3))
            };
            for techniques in [v18, v19] {
                assert!(techniques == "-" || techniques.split(',').all(technique), "{row:?}");
            }
            assert!(!v19.contains("T1562"), "v19 has no T1562: {row:?}");
        }
        assert_eq!(NAMED.len(), rows.len(), "a row stands twice");
    }

    #[test]
    fn what_no_table_names_goes_by_its_verb() {
        for (name, read_only, category) in [
            ("CreateWidget", Some(false), Category::ResourceCreation),
            ("DeleteWidget", None, Category::Impact),
            ("DescribeWidgets", None, Category::Discovery),
            ("PutWidget", None, Category::Modification),
            ("Getaway", None, Category::Modification),
            ("StartQuery", Some(true), Category::Discovery),
            ("", None, Category::Modification),
        ] {
            let meaning = by_name("widgets", name, read_only);
            assert_eq!((meaning.category, meaning.named), (category, false), "{name}");
        }
        assert_eq!(by_name("iam", "CreateUser", None).attack_v18, "T1136.003");
        assert_ne!(by_name("identitystore", "CreateUser", None), by_name("iam", "CreateUser", None));
    }

    #[test]
    fn a_denial_is_told_from_a_failure() {
        for (code, outcome) in [
            ("AccessDenied", Outcome::Denied),
            ("AccessDeniedException", Outcome::Denied),
            ("Client.UnauthorizedOperation", Outcome::Denied),
            ("Server.InsufficientInstanceCapacity", Outcome::Failed),
            ("NoSuchEntityException", Outcome::Failed),
            ("", Outcome::Succeeded),
        ] {
            let json = format!(r#"{{"eventName":"X","errorCode":"{code}"}}"#);
            assert_eq!(Outcome::of(&serde_json::from_str(&json).unwrap()), outcome, "{code}");
        }
        let login = r#"{"eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Failure"}}"#;
        assert_eq!(Outcome::of(&serde_json::from_str(login).unwrap()), Outcome::Failed);
    }
}
