//! Calls that switch off what records, watches or guards, or let somebody in, each with the call that takes that back and what
//! people run for it.

/// One of them.
struct Switch {
    /// What it is on.
    kind: &'static str,
    /// The call that harms.
    off: &'static str,
    /// The call that takes it back.
    on: &'static str,
    /// The same for the AWS CLI, as in the table of what is done by hand.
    command: &'static str,
}

const fn switch(kind: &'static str, off: &'static str, on: &'static str, command: &'static str) -> Switch {
    Switch { kind, off, on, command }
}

static SWITCHES: [Switch; 10] = [
    switch(
        "AWS::CloudTrail::EventDataStore",
        "StopEventDataStoreIngestion",
        "StartEventDataStoreIngestion",
        "cloudtrail start-event-data-store-ingestion --event-data-store {}",
    ),
    switch(
        "AWS::CloudWatch::Alarm",
        "DisableAlarmActions",
        "EnableAlarmActions",
        "cloudwatch enable-alarm-actions --alarm-names {}",
    ),
    switch(
        "AWS::Config::ConfigurationRecorder",
        "StopConfigurationRecorder",
        "StartConfigurationRecorder",
        "configservice start-configuration-recorder --configuration-recorder-name {}",
    ),
    switch(
        "AWS::EC2::EbsEncryptionByDefault",
        "DisableEbsEncryptionByDefault",
        "EnableEbsEncryptionByDefault",
        "ec2 enable-ebs-encryption-by-default",
    ),
    switch(
        "AWS::EC2::SerialConsoleAccess",
        "EnableSerialConsoleAccess",
        "DisableSerialConsoleAccess",
        "ec2 disable-serial-console-access",
    ),
    switch("AWS::Events::Rule", "DisableRule", "EnableRule", "events enable-rule --name {name}"),
    switch("AWS::KMS::Key", "DisableKey", "EnableKey", "kms enable-key --key-id {}"),
    // The same call pauses it and has it go on.
    switch(
        "AWS::Macie::Session",
        "UpdateMacieSession",
        "UpdateMacieSession",
        "macie2 update-macie-session --status ENABLED",
    ),
    switch(
        "AWS::RolesAnywhere::TrustAnchor",
        "DisableTrustAnchor",
        "EnableTrustAnchor",
        "rolesanywhere enable-trust-anchor --trust-anchor-id {}",
    ),
    switch(
        "AWS::Route53Resolver::ResolverQueryLoggingConfig",
        "DisassociateResolverQueryLogConfig",
        "AssociateResolverQueryLogConfig",
        "route53resolver associate-resolver-query-log-config --resolver-query-log-config-id {} --resource-id …",
    ),
];

/// The call that takes one back, where it is one of these. Where both are the same, nobody can say which it was.
pub fn taken_back_by(operation: &str) -> Option<&'static str> {
    SWITCHES.iter().find(|switch| switch.off == operation && switch.on != operation).map(|switch| switch.on)
}

/// What people run to take back what a call has done to a thing of this type.
pub fn command(kind: &str, operation: &str) -> Option<&'static str> {
    SWITCHES.iter().find(|switch| switch.kind == kind && switch.off == operation).map(|switch| switch.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_calls_of_each_are_known_to_change_the_same_thing() {
        let rows: Vec<Vec<&str>> =
            include_str!("resources.tsv").lines().map(|line| line.split('\t').collect()).collect();
        for Switch { kind, off, on, command: wanted } in &SWITCHES {
            assert_eq!(taken_back_by(off), (off != on).then_some(*on));
            assert_eq!(command(kind, off), Some(*wanted));
            for call in [off, on] {
                let changes = |row: &Vec<&str>| row.len() == 5 && row[1..4] == [*call, "changed", *kind];
                assert!(rows.iter().any(changes), "{call} changes no {kind}");
            }
        }
        assert_eq!(taken_back_by("StartConfigurationRecorder"), None);
        assert_eq!(command("AWS::EC2::Instance", "DisableRule"), None, "of another type");
    }
}
