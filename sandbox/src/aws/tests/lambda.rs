//! Lambda.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, FunctionUrlAuthType, LayerVersionContentInput, Runtime};
use chrono::TimeDelta;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::{Cloud, code, refusal};

const REGION: &str = "us-east-1";
const ROLE: &str = "arn:aws:iam::111122223333:role/app-deploy";

fn zip(letter: u8) -> Blob {
    let mut bytes = vec![b'P', b'K', 5, 6];
    bytes.extend([0; 18]);
    bytes.push(letter);
    Blob::new(bytes)
}

fn client(cloud: &Cloud) -> aws_sdk_lambda::Client {
    aws_sdk_lambda::Client::new(&cloud.config(cloud.admin(), REGION))
}

async fn made(cloud: &Cloud, lambda: &aws_sdk_lambda::Client) {
    let code = FunctionCode::builder().zip_file(zip(1)).build();
    let asked = lambda.create_function().function_name("f").role(ROLE).runtime(Runtime::Python312).handler("m.f");
    asked.code(code).send().await.unwrap();
    cloud.clock.advance(TimeDelta::seconds(3));
}

#[tokio::test]
async fn a_function_is_made_read_with_its_code_and_deleted() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    let get = || lambda.get_function().function_name("f").send();
    assert_eq!(code(get().await), "ResourceNotFoundException");
    made(&cloud, &lambda).await;
    let found = get().await.unwrap();
    let configuration = found.configuration().unwrap();
    assert_eq!(configuration.state().map(aws_sdk_lambda::types::State::as_str), Some("Active"));
    let location = found.code().and_then(|code| code.location()).unwrap().to_owned();
    let http = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let fetched = http.get(location.parse().unwrap()).await.unwrap();
    assert_eq!(fetched.into_body().collect().await.unwrap().to_bytes(), zip(1).into_inner());
    cloud.clock.advance(TimeDelta::minutes(11));
    assert_eq!(http.get(location.parse().unwrap()).await.unwrap().status(), 403, "an address does not work for long");

    assert_eq!(lambda.list_functions().send().await.unwrap().functions().len(), 1);
    let elsewhere = aws_sdk_lambda::Client::new(&cloud.config(cloud.admin(), "eu-west-1"));
    assert!(elsewhere.list_functions().send().await.unwrap().functions().is_empty());
    lambda.delete_function().function_name("f").send().await.unwrap();
    assert_eq!(code(lambda.delete_function().function_name("f").send().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn what_lambda_refuses() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    let code_of = |bytes: Blob| FunctionCode::builder().zip_file(bytes).build();
    let ask = |role: &str, bytes: Blob| {
        let asked = lambda.create_function().function_name("f").role(role).runtime(Runtime::Python312).handler("m.f");
        asked.code(code_of(bytes)).send()
    };
    assert_eq!(code(ask(ROLE, Blob::new("no zip")).await), "InvalidParameterValueException");
    let untrusted = "arn:aws:iam::111122223333:role/ecs-batch";
    let (code_, message) = refusal(ask(untrusted, zip(1)).await);
    assert_eq!(code_, "InvalidParameterValueException");
    assert!(message.contains("cannot be assumed by Lambda"), "{message}");
    ask(ROLE, zip(1)).await.unwrap();
    assert_eq!(code(ask(ROLE, zip(1)).await), "ResourceConflictException");
    let early = lambda.update_function_code().function_name("f").zip_file(zip(2)).send().await;
    assert_eq!(code(early), "ResourceConflictException", "it is still being made");
    let denied = aws_sdk_lambda::Client::new(&cloud.config(cloud.keys("irp-bot"), REGION));
    assert_eq!(code(denied.delete_function().function_name("f").send().await), "AccessDeniedException");
}

#[tokio::test]
async fn code_changes_and_versions_stay() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    made(&cloud, &lambda).await;
    let first = lambda.publish_version().function_name("f").send().await.unwrap();
    assert_eq!(first.version(), Some("1"));
    assert_eq!(lambda.publish_version().function_name("f").send().await.unwrap().version(), Some("1"));
    let changed = lambda.update_function_code().function_name("f").zip_file(zip(2)).send().await.unwrap();
    assert_ne!(changed.code_sha256(), first.code_sha256());
    let old = lambda.get_function().function_name("f").qualifier("1").send().await.unwrap();
    assert_eq!(old.configuration().and_then(|c| c.code_sha256()), first.code_sha256());
    let stale = lambda.update_function_code().function_name("f").zip_file(zip(3));
    let stale = stale.revision_id(first.revision_id().unwrap()).send().await;
    assert_eq!(code(stale), "PreconditionFailedException");
    let set = lambda.update_function_configuration().function_name("f").timeout(30).send().await.unwrap();
    assert_eq!(set.timeout(), Some(30));
    let versions = lambda.list_versions_by_function().function_name("f").send().await.unwrap();
    assert_eq!(versions.versions().len(), 2);
}

#[tokio::test]
async fn who_may_call_it_and_what_calls_it_can_be_taken_away() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    made(&cloud, &lambda).await;
    let add = || {
        let asked = lambda.add_permission().function_name("f").statement_id("url").principal("*");
        asked.action("lambda:InvokeFunctionUrl").function_url_auth_type(FunctionUrlAuthType::None).send()
    };
    assert_eq!(code(lambda.get_policy().function_name("f").send().await), "ResourceNotFoundException");
    add().await.unwrap();
    assert_eq!(code(add().await), "ResourceConflictException");
    let policy = lambda.get_policy().function_name("f").send().await.unwrap();
    assert!(policy.policy().is_some_and(|text| text.contains(r#""Principal":"*""#)));
    let bound = lambda.add_permission().function_name("f").statement_id("bound").principal("*");
    let bound = bound.action("lambda:InvokeFunction").source_account("111122223333").principal_org_id("o-abc123def4");
    let statement = bound.send().await.unwrap().statement.unwrap();
    for part in [r#""AWS:SourceAccount":"111122223333""#, r#""aws:PrincipalOrgID":"o-abc123def4""#] {
        assert!(statement.contains(part), "{part}: {statement}");
    }
    lambda.remove_permission().function_name("f").statement_id("bound").send().await.unwrap();
    lambda.remove_permission().function_name("f").statement_id("url").send().await.unwrap();
    let again = lambda.remove_permission().function_name("f").statement_id("url").send().await;
    assert_eq!(code(again), "ResourceNotFoundException");

    let none = FunctionUrlAuthType::None;
    let create = || lambda.create_function_url_config().function_name("f").auth_type(none.clone()).send();
    let url = create().await.unwrap();
    assert!(url.function_url().ends_with(".lambda-url.us-east-1.on.aws/"));
    assert_eq!(code(create().await), "ResourceConflictException");
    lambda.delete_function_url_config().function_name("f").send().await.unwrap();
    assert_eq!(code(lambda.get_function_url_config().function_name("f").send().await), "ResourceNotFoundException");

    let queue = "arn:aws:sqs:us-east-1:111122223333:orders";
    let map = || lambda.create_event_source_mapping().function_name("f").event_source_arn(queue).send();
    let mapping = map().await.unwrap().uuid.unwrap();
    assert_eq!(code(map().await), "ResourceConflictException");
    let listed = || lambda.list_event_source_mappings().function_name("f").send();
    assert_eq!(listed().await.unwrap().event_source_mappings()[0].event_source_arn(), Some(queue));
    let delete = || lambda.delete_event_source_mapping().uuid(&mapping).send();
    delete().await.unwrap();
    assert_eq!(listed().await.unwrap().event_source_mappings()[0].state(), Some("Deleting"));
    assert_eq!(code(delete().await), "ResourceInUseException");
    cloud.clock.advance(TimeDelta::seconds(4));
    assert!(listed().await.unwrap().event_source_mappings().is_empty());
    assert_eq!(code(lambda.get_event_source_mapping().uuid(&mapping).send().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_region_without_urls_does_not_know_the_operations() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    made(&cloud, &lambda).await;
    cloud.account.take_function_urls_from(REGION);
    let (error, message) = refusal(lambda.get_function_url_config().function_name("f").send().await);
    assert_eq!(error, "AccessDeniedException");
    assert_eq!(message, "Unable to determine service/operation name to be authorized");
    assert_eq!(code(lambda.list_function_url_configs().function_name("f").send().await), "AccessDeniedException");
    assert_eq!(code(lambda.get_policy().function_name("f").send().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn the_trail_has_the_dated_names_and_no_code() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    made(&cloud, &lambda).await;
    let none = FunctionUrlAuthType::None;
    lambda.create_function_url_config().function_name("f").auth_type(none).send().await.unwrap();
    let keys = cloud.account.function_credentials(REGION, "f").unwrap();
    assert!(cloud.iam(keys).list_roles().send().await.is_ok());
    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event(REGION, "CreateFunction20150331").await;
    assert_eq!(event["eventSource"], "lambda.amazonaws.com");
    assert_eq!(event["requestParameters"]["functionName"], "f");
    assert_eq!(event["requestParameters"]["role"], ROLE);
    assert!(!event.to_string().contains("zipFile"), "{event}");
    assert_eq!(event["responseElements"]["functionName"], "f");
    cloud.event(REGION, "CreateFunctionUrlConfig20211031").await;
    let taken = cloud.events(REGION, "AssumeRole").await;
    let by_lambda = |event: &&serde_json::Value| event["requestParameters"]["roleSessionName"] == "f";
    assert!(taken.iter().find(by_lambda).is_some_and(|e| e["userIdentity"]["invokedBy"] == "lambda.amazonaws.com"));
}

#[tokio::test]
async fn an_alias_lets_in_whom_it_says_itself() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    made(&cloud, &lambda).await;
    let create = |name: &str, version: &str| {
        lambda.create_alias().function_name("f").name(name).function_version(version).send()
    };
    create("live", "$LATEST").await.unwrap();
    assert_eq!(code(create("live", "$LATEST").await), "ResourceConflictException");
    assert_eq!(code(create("next", "7").await), "ResourceNotFoundException");
    let listed = lambda.list_aliases().function_name("f").send().await.unwrap();
    assert_eq!(listed.aliases()[0].name(), Some("live"));
    let add = lambda.add_permission().function_name("f").qualifier("live").statement_id("x").principal("444455556666");
    add.action("lambda:InvokeFunction").send().await.unwrap();
    let policy =
        |alias: Option<&str>| lambda.get_policy().function_name("f").set_qualifier(alias.map(str::to_owned)).send();
    assert!(policy(Some("live")).await.unwrap().policy().unwrap().contains("function:f:live"));
    assert_eq!(code(policy(None).await), "ResourceNotFoundException", "the function lets in nobody");
    assert_eq!(code(policy(Some("next")).await), "ResourceNotFoundException");
    let remove = lambda.remove_permission().function_name("f").qualifier("live").statement_id("x");
    remove.send().await.unwrap();
    assert_eq!(code(policy(Some("live")).await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_function_runs_with_layers_that_its_maker_may_have() {
    let cloud = Cloud::start().await;
    let lambda = client(&cloud);
    let publish = |letter: u8| {
        let content = LayerVersionContentInput::builder().zip_file(zip(letter)).build();
        lambda.publish_layer_version().layer_name("tools").content(content).send()
    };
    let (first, second) = (publish(1).await.unwrap(), publish(2).await.unwrap());
    assert_eq!((first.version(), second.version()), (1, 2));
    let arn = "arn:aws:lambda:us-east-1:111122223333:layer:tools";
    let (one, two) = (format!("{arn}:1"), format!("{arn}:2"));
    assert_eq!(second.layer_version_arn(), Some(two.as_str()));
    let by_arn = |arn: &str| lambda.get_layer_version_by_arn().arn(arn).send();
    let found = by_arn(&two).await.unwrap();
    let location = found.content().and_then(|content| content.location()).unwrap().to_owned();
    let http = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let fetched = http.get(location.parse().unwrap()).await.unwrap();
    assert_eq!(fetched.into_body().collect().await.unwrap().to_bytes(), zip(2).into_inner());
    let numbered = lambda.get_layer_version().layer_name("tools").version_number(1).send().await.unwrap();
    let hash = first.content().and_then(|content| content.code_sha256());
    assert_eq!(numbered.content().and_then(|content| content.code_sha256()), hash);
    assert_eq!(code(by_arn(&format!("{arn}:3")).await), "ResourceNotFoundException");
    let foreign = "arn:aws:lambda:us-east-1:444455556666:layer:tools:1";
    assert_eq!(code(by_arn(foreign).await), "AccessDeniedException");

    made(&cloud, &lambda).await;
    let lay = |arns: &[&str]| {
        let arns = arns.iter().map(|arn| (*arn).to_owned()).collect();
        lambda.update_function_configuration().function_name("f").set_layers(Some(arns)).send()
    };
    assert_eq!(code(lay(&[&one, &two]).await), "InvalidParameterValueException");
    assert_eq!(code(lay(&[foreign]).await), "AccessDeniedException");
    assert_eq!(lay(&[&two]).await.unwrap().layers()[0].arn(), Some(two.as_str()));
    lambda.publish_version().function_name("f").send().await.unwrap();
    assert!(lay(&[]).await.unwrap().layers().is_empty());
    let old = lambda.get_function_configuration().function_name("f").qualifier("1").send().await.unwrap();
    assert_eq!(old.layers()[0].code_size(), 23, "a version stays as it was published");
}
