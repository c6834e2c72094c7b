//! Which calls can hand something out.

/// Whether a call can hand something out at all: only then are its parameters read.
pub fn may_grant(source: &str, name: &str) -> bool {
    match source {
        "sts" => !name.starts_with("Get") || matches!(name, "GetSessionToken" | "GetFederationToken"),
        "iam" => matches!(
            name,
            "CreateAccessKey"
                | "CreateServiceSpecificCredential"
                | "ResetServiceSpecificCredential"
                | "UpdateAccessKey"
                | "UpdateServiceSpecificCredential"
                | "CreateUser"
                | "CreateLoginProfile"
                | "UpdateLoginProfile"
                | "UpdateUser"
                | "UpdateGroup"
                | "CreateRole"
                | "UpdateAssumeRolePolicy"
                | "CreateSAMLProvider"
                | "UpdateSAMLProvider"
                | "CreateOpenIDConnectProvider"
                | "AddClientIDToOpenIDConnectProvider"
                | "UpdateOpenIDConnectProviderThumbprint"
                | "RemoveClientIDFromOpenIDConnectProvider"
                | "DeleteSAMLProvider"
                | "DeleteOpenIDConnectProvider"
        ),
        "rolesanywhere" => {
            matches!(name, "CreateSession" | "CreateTrustAnchor" | "EnableTrustAnchor" | "UpdateTrustAnchor")
        }
        "signin" => matches!(
            name,
            "AuthorizeOAuth2Access" | "ConsoleLogin" | "CreateOAuth2Token" | "GetSigninToken" | "SwitchRole"
        ),
        "sso" => matches!(name, "GetRoleCredentials" | "CreateAccountAssignment"),
        "identitystore" | "sso-directory" => {
            matches!(name, "AddMemberToGroup" | "CreateGroupMembership" | "CreateUser" | "UpdatePassword")
        }
        "cognito-identity" => name == "GetCredentialsForIdentity",
        "ec2" => matches!(
            name,
            "RunInstances"
                | "RunScheduledInstances"
                | "CreateFleet"
                | "RequestSpotFleet"
                | "RequestSpotInstances"
                | "ModifyInstanceAttribute"
                | "ModifyInstanceMetadataOptions"
                | "AssociateIamInstanceProfile"
                | "ReplaceIamInstanceProfileAssociation"
                | "DisassociateIamInstanceProfile"
        ),
        "ec2-instance-connect" | "ssm" => {
            matches!(
                name,
                "SendSSHPublicKey"
                    | "SendSerialConsoleSSHPublicKey"
                    | "SendCommand"
                    | "CreateActivation"
                    | "CreateAssociation"
                    | "StartSession"
                    | "StartAutomationExecution"
                    | "UpdateAssociation"
            )
        }
        "apprunner" => name == "CreateService",
        "batch" => name == "RegisterJobDefinition",
        "codepipeline" => name == "CreatePipeline",
        "eks" => name == "CreatePodIdentityAssociation",
        "elasticmapreduce" => name == "RunJobFlow",
        "autoscaling" => name == "CreateAutoScalingGroup",
        "ecs" => matches!(name, "RunTask" | "StartTask" | "ExecuteCommand" | "RegisterTaskDefinition"),
        "scheduler" => matches!(name, "CreateSchedule" | "UpdateSchedule"),
        "states" => matches!(name, "CreateStateMachine" | "UpdateStateMachine"),
        "events" => name == "PutTargets",
        "lambda" => matches!(name, "CreateFunction" | "UpdateFunctionCode" | "UpdateFunctionConfiguration"),
        "codebuild" => matches!(name, "CreateProject" | "UpdateProject" | "StartBuild"),
        "glue" => matches!(name, "CreateJob" | "CreateDevEndpoint" | "CreateSession" | "UpdateJob"),
        "sagemaker" => matches!(name, "CreateNotebookInstance" | "CreateTrainingJob" | "CreateProcessingJob"),
        "cloudformation" => matches!(name, "CreateStack" | "UpdateStack" | "CreateChangeSet"),
        _ => false,
    }
}
