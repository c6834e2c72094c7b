//! Evidence packs: written by the program, checked by it, and broken in every way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use irp::domain::incident::event::Event;
use irp::domain::stored::{self, Record};
use irp::view::pack::Manifest;

use crate::program::{Program, command};
use crate::redis_server::RedisServer;
use crate::world::{ANA, CHRIS, World};

const KEY: &str = "Deactivate access key";
/// What `manifests/aws/vault.cloudformation.yaml` lets the bot do.
const MAY_USE_THE_VAULT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetBucketObjectLockConfiguration","Resource":"arn:aws:s3:::irp-evidence"},
    {"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectRetention","s3:GetObject","s3:GetObjectRetention"],
     "Resource":"arn:aws:s3:::irp-evidence/packs/*"},
    {"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"Null":{"s3:object-lock-mode":"true"}}},
    {"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"Null":{"s3:if-none-match":"true"}}}]}"#;

/// Whether the pack is whole, and what was said.
fn verify(pack: &Path, more: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_irp")).env_clear().arg("verify").arg(pack).args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn copied(pack: &Path, to: &Path) -> PathBuf {
    let copy = to.join("copy");
    let _ = fs::remove_dir_all(&copy);
    for folder in ["", "before", "cards"] {
        fs::create_dir_all(copy.join(folder)).unwrap();
        for entry in fs::read_dir(pack.join(folder)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), copy.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    copy
}

fn sha256(bytes: &[u8]) -> String {
    irp::view::pack::hash(bytes)
}

fn lines(pack: &Path) -> Vec<String> {
    fs::read_to_string(pack.join("log.ndjson")).unwrap().lines().map(str::to_owned).collect()
}

fn put_lines(pack: &Path, lines: &[String]) {
    fs::write(pack.join("log.ndjson"), lines.join("\n") + "\n").unwrap();
}

/// Takes a file away, or puts another text there, and writes the list anew so that it fits.
fn forge(pack: &Path, file: &str, text: Option<&str>) {
    let list = fs::read_to_string(pack.join("manifest.json")).unwrap();
    let mut manifest: Manifest = serde_json::from_str(&list).unwrap();
    if let Some(text) = text {
        fs::create_dir_all(pack.join(file).parent().unwrap()).unwrap();
        fs::write(pack.join(file), text).unwrap();
        manifest.files.insert(file.into(), sha256(text.as_bytes()));
    } else {
        fs::remove_file(pack.join(file)).unwrap();
        manifest.files.remove(file).unwrap();
    }
    fs::write(pack.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// Breaks a whole pack in every way, and looks at what is said.
fn is_found_out(pack: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let (whole, said) = verify(pack, &[]);
    assert!(whole, "{said}");
    let head = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(verify(pack, &["--hash", &head]).0);
    assert!(!verify(pack, &["--hash", &"0".repeat(64)]).0);

    let all = lines(pack);
    let middle = all.len() / 2;
    let broken = |says: &str, change: &dyn Fn(&mut Vec<String>)| {
        let copy = copied(pack, dir.path());
        let mut changed = all.clone();
        change(&mut changed);
        put_lines(&copy, &changed);
        let (whole, said) = verify(&copy, &[]);
        assert!(!whole && said.contains(says), "“{says}”: {said}");
    };
    let altered = format!("record {} is not as it was written: record {} follows another", middle + 1, middle + 2);
    broken(&altered, &|l| {
        l[middle] = l[middle].replacen("\"at\":\"2", "\"at\":\"1", 1);
    });
    broken(&format!("1 record(s) are missing before record {}", middle + 1), &|l| drop(l.remove(middle)));
    broken(&format!("1 record(s) were added before record {}", middle + 2), &|l| l.insert(middle, l[middle].clone()));
    broken(&format!("record {} does not follow", middle + 1), &|l| l.swap(middle, middle + 1));
    broken("some are missing at the end", &|l| drop(l.pop()));
    broken("is not as it was written", &|l| {
        let last = l.len() - 1;
        l[last] = l[last].replacen("\"at\":\"2", "\"at\":\"1", 1);
    });
    broken("record 1 cannot be read", &|l| l[0] = "nonsense".into());

    for file in ["report.md", "before/INC-1.1.json", "cards/announcement.json"] {
        let copy = copied(pack, dir.path());
        fs::write(copy.join(file), "another").unwrap();
        let (whole, said) = verify(&copy, &[]);
        assert!(!whole && said.contains(file), "{file}: {said}");
        fs::remove_file(copy.join(file)).unwrap();
        assert!(verify(&copy, &[]).1.contains("is missing"));
    }
    let copy = copied(pack, dir.path());
    fs::write(copy.join("cards/more.json"), "{}").unwrap();
    assert!(verify(&copy, &[]).1.contains("somebody has added it"));
    // A forger who writes the list anew is found out by its hash.
    let copy = copied(pack, dir.path());
    let report = fs::read(copy.join("report.md")).unwrap();
    fs::write(copy.join("report.md"), "nothing happened").unwrap();
    let list = fs::read_to_string(copy.join("manifest.json")).unwrap();
    let forged = list.replace(&sha256(&report), &sha256(b"nothing happened"));
    fs::write(copy.join("manifest.json"), forged).unwrap();
    assert!(verify(&copy, &[]).0);
    assert!(verify(&copy, &["--hash", &head]).1.contains("this is another pack"));

    // What the log refers to is missed though the list does not have it any more.
    for (file, by) in [
        ("report.md", ""),
        ("cards/announcement.json", ""),
        ("cards/evidence.json", ""),
        ("cards/receipt.INC-1.1.asked.json", " (record "),
        ("before/INC-1.1.json", " (record "),
    ] {
        let copy = copied(pack, dir.path());
        forge(&copy, file, None);
        let (whole, said) = verify(&copy, &[]);
        assert!(
            !whole && said.contains(&format!("{file}{by}")) && said.contains("either it was taken away"),
            "{file}: {said}"
        );
    }
    let copy = copied(pack, dir.path());
    let before = fs::read_to_string(copy.join("before/INC-1.1.json")).unwrap();
    forge(&copy, "before/INC-1.1.json", Some(&before.replace("Active", "Inactive")));
    let (whole, said) = verify(&copy, &[]);
    assert!(!whole && said.contains("before/INC-1.1.json: is not what record "), "{said}");

    let copy = copied(pack, dir.path());
    fs::remove_file(copy.join("manifest.json")).unwrap();
    assert!(verify(&copy, &[]).1.contains("was it finished"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_holds_everything_and_every_change_to_it_is_found() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::without_bot(false).await;
    let _program = Program::start(&mut w, &redis, &dir).await;
    w.incident().await;
    w.carry_out(KEY, ANA, CHRIS).await;
    let out = dir.path().join("pack");
    let export = |incident: &'static str| {
        let mut command = command(&w, &redis, &dir, 0);
        command.args(["export", incident, "--out"]).arg(&out);
        // Slack is not asked.
        for name in ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL", "IRP_WAR_ROOM", "IRP_ALERT_KEYS"] {
            command.env_remove(name);
        }
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let output = export("INC-1").await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = export("INC-1").await.unwrap();
    assert!(!again.status.success(), "a pack is never written over");
    let report = fs::read_to_string(out.join("report.md")).unwrap();
    for part in ["aws iam update-access-key --user-name deploy-bot", "approved by U0APPROVE1", "Calls to AWS began"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    is_found_out(&out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_in_a_locked_bucket_is_whole_once_it_is_fetched() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::without_bot(false).await;
    let _program = Program::start(&mut w, &redis, &dir).await;
    w.incident().await;
    w.carry_out(KEY, ANA, CHRIS).await;
    w.account.put_bucket("irp-evidence", "eu-west-1", true);
    w.account.put_user_policy_directly("irp-bot", "vault", Some(MAY_USE_THE_VAULT));
    let mut command = command(&w, &redis, &dir, 0);
    command.envs([
        ("IRP_VAULT", "s3://irp-evidence/packs/"),
        ("IRP_VAULT_REGION", "eu-west-1"),
        ("IRP_VAULT_LOCK_MODE", "COMPLIANCE"),
        ("IRP_VAULT_LOCK_DAYS", "30"),
    ]);
    let output = tokio::task::spawn_blocking(move || command.args(["export", "INC-1"]).output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && said.starts_with("s3://irp-evidence/packs/INC-1-pack-20"), "{said}");
    assert!(said.contains("kept in COMPLIANCE mode until "), "{said}");
    let (out, head) = (dir.path().join("fetched"), said.trim().rsplit(' ').next().unwrap().to_owned());
    for (key, bytes) in w.account.objects("irp-evidence") {
        let path = out.join(key.splitn(3, '/').nth(2).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let (whole, said) = verify(&out, &["--hash", &head]);
    assert!(whole, "{said}");
    is_found_out(&out);
}

/// Written by an earlier version: it has to stay readable.
#[test]
fn the_sample_pack_is_whole() {
    is_found_out(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/INC-1"));
}

#[test]
fn a_plan_that_approvers_read_in_a_file_is_missed() {
    const FILE: &str = "plans/INC-1.1-plan.txt";
    let dir = tempfile::tempdir().unwrap();
    let pack = copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/INC-1"), dir.path());
    let records: Vec<Record> = stored::read(lines(&pack)).unwrap();
    let digest = records.iter().find_map(|record| match &record.event {
        Event::ApprovalRequested { digest, .. } => Some(digest.clone()),
        _ => None,
    });
    let digest = digest.unwrap();
    let last = records.last().unwrap();
    let (request, file) = ("INC-1.1".parse().unwrap(), "https://files.example/1".to_owned());
    let uploaded = Event::PlanUploaded { request, digest: digest.clone(), file };
    let record = Record::seal(Some(last.hash()), last.at, uploaded);
    let mut all = lines(&pack);
    all.push(record.text().to_owned());
    let log = all.join("\n") + "\n";
    forge(&pack, "log.ndjson", Some(&log));
    let listed = fs::read_to_string(pack.join("manifest.json")).unwrap();
    let mut manifest: Manifest = serde_json::from_str(&listed).unwrap();
    (manifest.records, manifest.head) = (all.len(), record.hash().to_owned());
    fs::write(pack.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();

    let (whole, said) = verify(&pack, &[]);
    assert!(!whole && said.contains(&format!("{FILE} (record {} of log.ndjson)", all.len())), "{said}");
    forge(&pack, FILE, Some("another plan"));
    let (whole, said) = verify(&pack, &[]);
    assert!(!whole && said.contains(&format!("{FILE}: is not the plan of record")), "{said}");
    forge(&pack, FILE, Some(&format!("bound to this digest: {digest}\n")));
    let (whole, said) = verify(&pack, &[]);
    assert!(whole, "{said}");
}

#[test]
fn the_exit_code_says_whether_the_pack_or_the_question_is_wrong() {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/INC-1");
    let code = |arguments: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_irp"));
        command.env_clear().arg("verify").args(arguments).output().unwrap().status.code()
    };
    assert_eq!(code(&[pack.as_path()]), Some(0));
    assert_eq!(code(&[Path::new("no-such-pack")]), Some(1));
    assert_eq!(code(&[]), Some(2));
}

/// A log is checked in parts, on all cores: where one part ends and the next begins, nothing is lost.
#[test]
fn a_long_log_is_found_out_wherever_it_is_broken() {
    const PART: usize = 1 << 20;
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/INC-1");
    let dir = tempfile::tempdir().unwrap();
    let pack = copied(&sample, dir.path());
    let short: Vec<Record> = stored::read(lines(&sample)).unwrap();
    let mut all: Vec<Record> = Vec::new();
    let mut bytes = 0;
    // One of the records is longer than a part.
    let long = Event::RequestLapsed { request: "INC-1.1".parse().unwrap(), why: "x".repeat(PART + PART / 2) };
    while bytes < 4 * PART {
        let next = if all.len() == 2_000 { &long } else { &short[all.len() % short.len()].event };
        let record = Record::seal(all.last().map(Record::hash), short[0].at, next.clone());
        bytes += record.text().len() + 1;
        all.push(record);
    }
    let texts: Vec<String> = all.iter().map(|record| record.text().to_owned()).collect();
    put_lines(&pack, &texts);
    let list = fs::read_to_string(pack.join("manifest.json")).unwrap();
    let mut manifest: Manifest = serde_json::from_str(&list).unwrap();
    manifest.records = all.len();
    manifest.head = all.last().unwrap().hash().to_owned();
    manifest.files.insert("log.ndjson".into(), sha256(&fs::read(pack.join("log.ndjson")).unwrap()));
    fs::write(pack.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    let (whole, said) = verify(&pack, &[]);
    assert!(whole && said.contains(&format!("{} records", all.len())), "{said}");

    // The last record of each part, and those beside it.
    let mut ends = vec![];
    let (mut at, mut end) = (0, PART);
    for (n, text) in texts.iter().enumerate() {
        at += text.len() + 1;
        if at >= end {
            ends.push(n);
            end = at + PART;
        }
    }
    assert!(ends.len() >= 3, "{ends:?}");
    for n in ends.iter().flat_map(|n| n - 1..n + 2).chain([1, 2_000]).filter(|n| n + 1 < texts.len()) {
        let mut changed = texts.clone();
        changed[n] = changed[n].replacen("\"at\":\"2", "\"at\":\"1", 1);
        put_lines(&pack, &changed);
        let (_, said) = verify(&pack, &[]);
        let altered = format!("record {} is not as it was written: record {} follows another", n + 1, n + 2);
        assert!(said.contains(&altered), "{n}: {said}");
        // Of two, the first.
        changed[n] = "\u{fffd}".into();
        let mut bytes = (changed.join("\n") + "\n").into_bytes();
        let wrong = bytes.iter().position(|byte| *byte == 0xef).unwrap();
        bytes[wrong] = 0xff;
        fs::write(pack.join("log.ndjson"), bytes).unwrap();
        let (_, said) = verify(&pack, &[]);
        assert!(said.contains(&format!("record {} is not text", n + 1)), "{n}: {said}");
    }
}
