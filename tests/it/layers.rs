//! What goes with a function that is deleted: the code of its versions, and of the layers that it ran with.

use std::fs;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LayerVersionContentInput;
use irp_sandbox::aws::Fault;
use sha2::{Digest, Sha256};

use crate::entrances::{makes_its_own_function, own_zip, pack_of, read};
use crate::estate::{Hands, made};
use crate::world::World;

const HOME: &str = "us-east-1";
const FUNCTION: &str = "layered";

/// Publishes a layer with code that is nobody else's; its ARN and zip.
async fn publishes_a_layer(attacker: &Hands<'_>, name: &str) -> (String, Vec<u8>) {
    let zip = own_zip(name);
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(zip.clone())).build();
    let published = attacker.lambda().publish_layer_version().layer_name(name).content(content).send().await;
    (published.unwrap().layer_version_arn.unwrap(), zip)
}

/// Gives the function other code; its zip.
async fn changes_its_code(attacker: &Hands<'_>) -> Vec<u8> {
    let zip = own_zip(FUNCTION);
    let changed = attacker.lambda().update_function_code().function_name(FUNCTION).zip_file(Blob::new(zip.clone()));
    changed.send().await.unwrap();
    zip
}

async fn publishes_a_version(attacker: &Hands<'_>, number: &str) {
    let published = attacker.lambda().publish_version().function_name(FUNCTION).send().await.unwrap();
    assert_eq!(published.version(), Some(number));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_versions_and_layers_is_kept_before_a_function_is_deleted() {
    let w = World::start().await;
    let attacker = w.hands();
    let (refused, never) = publishes_a_layer(&attacker, "refused").await;
    let (layer, tools) = publishes_a_layer(&attacker, "tools").await;
    let first = makes_its_own_function(&attacker, FUNCTION).await;
    w.clock.advance(chrono::TimeDelta::seconds(3));
    let laid = attacker.lambda().update_function_configuration().function_name(FUNCTION);
    laid.layers(&refused).layers(&layer).send().await.unwrap();
    publishes_a_version(&attacker, "1").await;
    let second = changes_its_code(&attacker).await;
    publishes_a_version(&attacker, "2").await;
    let latest = changes_its_code(&attacker).await;
    publishes_a_version(&attacker, "3").await;
    w.incident().await;
    w.hunted(vec![made("Lambda::Function", FUNCTION, HOME)]).await;
    w.contained().await;
    w.account.fail_next("GetLayerVersionByArn", Fault::AccessDenied);
    w.carried_out_again("· Delete function layered").await;
    assert!(!w.account.has_function(HOME, FUNCTION), "a layer that AWS does not hand out keeps nothing up");

    let own = pack_of(&latest).expect("the code of $LATEST is kept");
    let manifest = read(&own, "manifest.json");
    let packs = manifest["packs"].as_object().expect("the other packs");
    assert_eq!(packs.len(), 3, "version 3 has the code of $LATEST: {manifest}");
    let of_layer = format!("layer {layer}");
    for (what, zip) in [("version 1", &first), ("version 2", &second), (of_layer.as_str(), &tools)] {
        let pack = own.with_file_name(packs[what].as_str().unwrap());
        assert_eq!(&fs::read(pack.join("code.zip")).unwrap(), zip, "{what}");
        assert_eq!(read(&pack, "manifest.json")["sha256"]["code.zip"], hex::encode(Sha256::digest(zip)), "{what}");
    }
    let pack = pack_of(&tools).unwrap();
    let said = read(&pack, "layer.json");
    assert_eq!(said[0]["LayerVersionArn"], layer.as_str());
    assert!(said[0]["Content"]["CodeSha256"].is_string() && said[0]["Content"].get("Location").is_none(), "{said}");
    assert_eq!(read(&pack_of(&second).unwrap(), "function.json")[0]["Configuration"]["Version"], "2");
    assert!(pack_of(&never).is_none());
    let not_kept = manifest["not_kept"].as_array().unwrap();
    assert!(not_kept[0].as_str().is_some_and(|what| what.starts_with(&format!("the code of layer {refused}: "))));
    assert_eq!(not_kept.len(), 1, "{manifest}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_stays_until_aws_has_answered_for_the_code_of_its_layers() {
    let w = World::start().await;
    let attacker = w.hands();
    let first = makes_its_own_function(&attacker, FUNCTION).await;
    w.clock.advance(chrono::TimeDelta::seconds(3));
    publishes_a_version(&attacker, "1").await;
    let latest = changes_its_code(&attacker).await;
    let (layer, _) = publishes_a_layer(&attacker, "away").await;
    let laid = attacker.lambda().update_function_configuration().function_name(FUNCTION).layers(&layer);
    laid.send().await.unwrap();
    w.incident().await;
    w.hunted(vec![made("Lambda::Function", FUNCTION, HOME)]).await;
    w.contained().await;
    // More often than one try asks: the whole of it is tried again.
    let asked = "GetLayerVersionByArn";
    (0..4).for_each(|_| w.account.fail_next(asked, Fault::Throttle));
    w.carried_out_again("· Delete function layered").await;
    assert!(w.account.count(asked) > 4, "it was asked until there was an answer");
    let manifest = read(&pack_of(&latest).expect("it is kept"), "manifest.json");
    assert!(manifest.get("not_kept").is_none(), "{manifest}");
    assert!(pack_of(&first).is_some() && !w.account.has_function(HOME, FUNCTION));
    w.end().await;
}
