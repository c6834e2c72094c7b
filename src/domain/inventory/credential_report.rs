//! IAM's credential report: of every user of an account, when their password and access keys were last set. One reading
//! of it stands for two questions about each user. Columns as in *Getting credential reports* of the IAM User Guide.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

/// Columns that say when something to get in with was made.
const SET_AT: [&str; 3] = ["password_last_changed", "access_key_1_last_rotated", "access_key_2_last_rotated"];

/// What the report says about users.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct CredentialReport {
    /// Those that it has.
    pub users: BTreeSet<String>,
    /// Those of them who have a password or a key that is as new as was asked for.
    pub renewed: BTreeSet<String>,
}

impl CredentialReport {
    /// Reads it; `None` when it is not such a report. A time that cannot be read counts as new.
    pub fn read(text: &str, since: DateTime<Utc>) -> Option<Self> {
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next()?.split(',').collect();
        let columns: Vec<usize> =
            SET_AT.iter().map(|name| header.iter().position(|column| column == name)).collect::<Option<_>>()?;
        if header.first() != Some(&"user") || header.get(1) != Some(&"arn") {
            return None;
        }
        let mut report = Self::default();
        for line in lines.filter(|line| !line.is_empty()) {
            // A user's name can have commas in it, and so can the ARN; nothing behind them has.
            let cells: Vec<&str> = line.rsplitn(header.len() - 1, ',').collect();
            let name = cells.last()?.split(",arn:").next()?.trim_matches('"').to_owned();
            let cell = |column: usize| cells.get(header.len() - 1 - column).copied().unwrap_or_default();
            if columns.iter().any(|column| is_new(cell(*column), since)) {
                report.renewed.insert(name.clone());
            }
            report.users.insert(name);
        }
        Some(report)
    }
}

fn is_new(cell: &str, since: DateTime<Utc>) -> bool {
    match cell {
        "N/A" | "not_supported" | "no_information" => false,
        at => DateTime::parse_from_rfc3339(at).map_or(true, |at| at >= since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
        password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
        access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
        cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

    fn row(user: &str, password: &str, keys: [&str; 2]) -> String {
        let [one, two] = keys;
        format!(
            "{user},arn:aws:iam::111122223333:user/{user},2020-01-01T00:00:00+00:00,false,N/A,{password},N/A,false,true,{one},\
             N/A,N/A,N/A,false,{two},N/A,N/A,N/A,false,N/A,false,N/A"
        )
    }

    fn read(rows: &[String]) -> Option<CredentialReport> {
        let since = DateTime::parse_from_rfc3339("2026-01-31T10:00:00Z").unwrap().to_utc();
        CredentialReport::read(&format!("{HEADER}\n{}", rows.join("\n")), since)
    }

    #[test]
    fn whoever_has_a_new_password_or_key_is_known_whatever_they_are_called() {
        let (old, new) = ("2026-01-31T09:59:59+00:00", "2026-01-31T10:00:00+00:00");
        let report = read(&[
            row("old", old, [old, "N/A"]),
            row("first", "N/A", [new, "N/A"]),
            row("second", "N/A", [old, new]),
            row("password", new, ["N/A", "N/A"]),
            row("comma,arn=x,y", "N/A", [new, "N/A"]),
            row("<root_account>", "not_supported", ["N/A", "N/A"]),
            row("strange", "N/A", ["yesterday", "N/A"]),
        ])
        .unwrap();
        let renewed: Vec<&str> = report.renewed.iter().map(String::as_str).collect();
        assert_eq!(renewed, ["comma,arn=x,y", "first", "password", "second", "strange"]);
        assert_eq!(report.users.len(), 7);
        assert!(report.users.contains("old"));
    }

    #[test]
    fn what_is_no_report_is_none() {
        let since = DateTime::UNIX_EPOCH;
        for text in ["", "user,arn", "<html>", &HEADER.replace("access_key_2_last_rotated", "x")] {
            assert_eq!(CredentialReport::read(text, since), None, "{text}");
        }
        assert_eq!(CredentialReport::read(&format!("{HEADER}\nshort"), since).unwrap().users.len(), 1);
    }
}
