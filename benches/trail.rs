//! `irp trail analyze` on a gigabyte of packed logs, beside what unpacking and parsing alone costs, and beside the
//! tools that people reach for first. `cargo bench --bench trail` writes the logs once, into the folder that
//! `IRP_TRAIL_LOGS` names (or a temporary one), and measures; `-- 100` does the same with 100 MB.
//!
//! The logs are made up from one seed: an account at work, and an attack in it with known calls.

#![allow(clippy::unwrap_used, reason = "a panic that names the line is the report")]
#![allow(clippy::disallowed_methods, reason = "a measurement is set up from its environment")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use irp::cli::trail::files::{Unpacked, find};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::de::IgnoredAny;
use serde_json::Value;

/// The logs are the same each time.
const SEED: u64 = 20_260_131;
/// Packed, in megabytes, when nothing else is said.
const MEGABYTES: u64 = 1_000;
/// Records in a file, as in a busy account.
const RECORDS: usize = 4_000;
const ACCOUNT: &str = "111122223333";
const STOLEN: &str = "AKIAIOSFODNN7EXAMPLE";
/// The attacker is in every so manieth file.
const ATTACKED: usize = 40;
const REGIONS: [&str; 6] = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "sa-east-1"];
const GOAL_RATIO: f64 = 1.3;
const GOAL_RSS_MB: u64 = 300;

fn main() {
    let megabytes = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(MEGABYTES);
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var("IRP_TRAIL_LOGS").map_or_else(|_| temporary.path().join("logs"), PathBuf::from);
    let attacker = write_logs(&folder, megabytes << 20);
    let packed: u64 = find(std::slice::from_ref(&folder)).0.iter().map(|f| f.bytes).sum();
    let (floor, raw) = floor(&folder);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    println!("{:.2} GB packed, {:.2} GB raw, {attacker} calls of the attacker's", gigabytes(packed), gigabytes(raw));
    println!("| what | seconds | × floor | RSS, MB |\n| --- | --- | --- | --- |");
    println!("| unpack and parse on all cores: the floor | {:.1} | 1.00 | |", floor.as_secs_f64());
    let row = |what: &str, (took, rss): (Duration, u64)| {
        let ratio = took.as_secs_f64() / floor.as_secs_f64();
        println!("| {what} | {:.1} | {ratio:.2} | {rss} |", took.as_secs_f64());
        ratio
    };
    let irp = Path::new(env!("CARGO_BIN_EXE_irp"));
    let args = ["trail", "analyze", "--credential", STOLEN, "--format", "json"];
    let (took, rss, answer) = run(Command::new(irp).args(args).arg(&folder));
    let ratio = row("irp trail analyze", (took, rss));
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["events"]["attributed"], attacker, "the attack is known");
    let met = if ratio <= GOAL_RATIO && rss < GOAL_RSS_MB { "met" } else { "**missed**" };
    println!("| goal | | ≤ {GOAL_RATIO} | < {GOAL_RSS_MB}: {met} |");
    // The others only pick out the calls of the one key: no lineage, no footprint.
    let shell = |script: &str| run(Command::new("sh").args(["-c", script, "sh"]).arg(&folder).arg(STOLEN));
    for (what, script) in OTHERS {
        let (took, rss, lines) = shell(script);
        if lines.is_empty() {
            println!("| {what}: not installed | | | |");
        } else {
            row(what, (took, rss));
        }
    }
}

/// The same selection with what is at hand, on both cores where the tool can.
const OTHERS: [(&str, &str); 3] = [
    (
        "gzip and jq, two at once",
        "command -v jq >/dev/null && find \"$1\" -name '*.gz' -print0 | xargs -0 -P 2 -n 50 sh -c 'key=$0; gzip -dc \
         \"$@\" | jq -c --arg key \"$key\" \".Records[] | select(.userIdentity.accessKeyId == \\$key) | [.eventTime, \
         .eventName, .eventID]\"' \"$2\"",
    ),
    (
        "Python, two processes",
        "python3 -c '\nimport gzip, json, sys, glob, multiprocessing\nkey = sys.argv[2]\ndef one(path):\n  with \
         gzip.open(path) as f:\n    return [(r[\"eventTime\"], r[\"eventName\"], r[\"eventID\"]) for r in \
         json.load(f)[\"Records\"] if r[\"userIdentity\"].get(\"accessKeyId\") == key]\nif __name__ == \"__main__\":\n  \
         with multiprocessing.Pool(2) as pool:\n    for rows in pool.imap(one, glob.glob(sys.argv[1] + \
         \"/**/*.gz\", recursive=True)):\n      for row in rows: print(*row)\n' \"$1\" \"$2\"",
    ),
    (
        "DuckDB",
        "python3 -c '\nimport duckdb, sys\nq = \"select r.eventTime, r.eventName, r.eventID from (select unnest(Records) \
         as r from read_json(?, maximum_object_size = 200000000, columns = {Records: \\\"STRUCT(eventTime VARCHAR, \
         eventName VARCHAR, eventID VARCHAR, userIdentity STRUCT(accessKeyId VARCHAR))[]\\\"})) where \
         r.userIdentity.accessKeyId = ?\"\nprint(*duckdb.execute(q, [sys.argv[1] + \"/**/*.gz\", \
         sys.argv[2]]).fetchall(), sep=\"\\n\")\n' \"$1\" \"$2\" 2>/dev/null",
    ),
];

/// Runs a command to its end: how long it took, the most memory it had at once, and what it wrote.
fn run(command: &mut Command) -> (Duration, u64, Vec<u8>) {
    let out = tempfile::NamedTempFile::new().unwrap();
    let started = Instant::now();
    let mut child = command.stdout(Stdio::from(out.reopen().unwrap())).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(rss_kb(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    (started.elapsed(), most >> 10, fs::read(out.path()).unwrap())
}

/// Of a process and its children.
fn rss_kb(process: u32) -> u64 {
    let own = fs::read_to_string(format!("/proc/{process}/status")).ok().and_then(|status| {
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    });
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    own.unwrap_or(0) + children.split_whitespace().filter_map(|child| child.parse().ok()).map(rss_kb).sum::<u64>()
}

/// Unpacks and parses all files on all cores, and does nothing with them.
fn floor(folder: &Path) -> (Duration, u64) {
    let (files, _) = find(&[folder.to_owned()]);
    let (next, raw, read) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    buffer.clear();
                    std::io::Read::read_to_end(&mut Unpacked::open(&file.path, &read).unwrap(), &mut buffer).unwrap();
                    raw.fetch_add(buffer.len() as u64, Ordering::Relaxed);
                    serde_json::from_slice::<IgnoredAny>(&buffer).unwrap();
                }
            });
        }
    });
    (started.elapsed(), raw.into_inner())
}

/// Writes logs of about this size, if they are not there. Returns how many calls of the attacker's are in them.
fn write_logs(folder: &Path, bytes: u64) -> u64 {
    let note = folder.with_extension("attacker");
    if let Ok(calls) = fs::read_to_string(&note) {
        return calls.parse().unwrap();
    }
    let (mut rng, mut at) = (StdRng::seed_from_u64(SEED), "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
    let (mut written, mut number, mut calls) = (0, 0, 0);
    while written < bytes {
        let region = REGIONS[number % REGIONS.len()];
        let folder = folder.join(region).join(at.format("%Y/%m/%d").to_string());
        fs::create_dir_all(&folder).unwrap();
        let stamp = at.format("%Y%m%dT%H%MZ");
        let path = folder.join(format!("{ACCOUNT}_CloudTrail_{region}_{stamp}_{number:06}.json.gz"));
        let mut file = GzEncoder::new(File::create(&path).unwrap(), Compression::new(6));
        let mut text = "{\"Records\":[".to_owned();
        for record in 0..RECORDS {
            if record > 0 {
                text.push(',');
            }
            if number % ATTACKED == 1 && record % 500 == 250 {
                attack(&mut text, &mut rng, at, region, calls);
                calls += 1;
            } else {
                work(&mut text, &mut rng, at, region);
            }
            at += TimeDelta::milliseconds(20);
        }
        text.push_str("]}");
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap();
        written += fs::metadata(&path).unwrap().len();
        number += 1;
    }
    fs::write(note, calls.to_string()).unwrap();
    calls
}

fn id(rng: &mut StdRng) -> String {
    let (a, b) = (rng.random::<u64>(), rng.random::<u64>());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

fn key(of: u64) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut left = of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = "ASIA".to_owned();
    for _ in 0..16 {
        key.push(char::from(LETTERS[usize::try_from(left & 31).unwrap()]));
        left = left.rotate_right(5) ^ of;
    }
    key
}

/// One record of an account at work.
fn work(out: &mut String, rng: &mut StdRng, at: DateTime<Utc>, region: &str) {
    const CALLS: [(&str, &str, bool); 12] = [
        ("ec2", "DescribeInstances", true),
        ("ec2", "DescribeNetworkInterfaces", true),
        ("sts", "AssumeRole", true),
        ("kms", "Decrypt", true),
        ("s3", "GetBucketAcl", true),
        ("monitoring", "DescribeAlarms", true),
        ("logs", "CreateLogStream", false),
        ("ssm", "UpdateInstanceInformation", false),
        ("ecs", "DescribeTasks", true),
        ("elasticloadbalancing", "DescribeTargetHealth", true),
        ("dynamodb", "DescribeTable", true),
        ("ssm", "GetParameter", true),
    ];
    let (source, name, read_only) = CALLS[rng.random_range(0..CALLS.len())];
    // At any time some hundreds of sessions are at work, each of one role.
    let now = u64::try_from(at.timestamp() / 900).unwrap();
    let session = now * 40 + rng.random_range(0..400_u64);
    let role = u32::try_from(session % 300).unwrap();
    let time = at.format("%Y-%m-%dT%H:%M:%SZ");
    let response = if name == "AssumeRole" {
        format!(
            "{{\"credentials\":{{\"accessKeyId\":\"{}\",\"sessionToken\":\"{}{}{}\",\"expiration\":\"Jan 1, 2026, \
             1:00:00 AM\"}},\"assumedRoleUser\":{{\"assumedRoleId\":\"AROAEXAMPLE{role:09}:session-{session}\",\"arn\":\
             \"arn:aws:sts::{ACCOUNT}:assumed-role/service-{role}/session-{session}\"}}}}",
            key(session),
            id(rng),
            id(rng),
            id(rng)
        )
    } else {
        "null".to_owned()
    };
    let request = format!(
        "{{\"roleArn\":\"arn:aws:iam::{ACCOUNT}:role/service-{role}\",\"roleSessionName\":\"session-{session}\",\
         \"filterSet\":{{\"items\":[{{\"name\":\"vpc-id\",\"valueSet\":{{\"items\":[{{\"value\":\"vpc-{:017x}\"}}]}}}}]}},\
         \"name\":\"/service-{role}/setting-{}\",\"maxResults\":100}}",
        rng.random::<u64>(),
        rng.random_range(0..40_u32)
    );
    write!(
        out,
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"AssumedRole\",\"principalId\":\
         \"AROAEXAMPLE{role:09}:session-{session}\",\"arn\":\"arn:aws:sts::{ACCOUNT}:assumed-role/service-{role}/\
         session-{session}\",\"accountId\":\"{ACCOUNT}\",\"accessKeyId\":\"{}\",\"sessionContext\":{{\"sessionIssuer\":\
         {{\"type\":\"Role\",\"principalId\":\"AROAEXAMPLE{role:09}\",\"arn\":\"arn:aws:iam::{ACCOUNT}:role/service-{role}\",\
         \"accountId\":\"{ACCOUNT}\",\"userName\":\"service-{role}\"}},\"attributes\":{{\"creationDate\":\"2026-01-01T00:00:00Z\",\
         \"mfaAuthenticated\":\"false\"}}}}}},\"eventTime\":\"{time}\",\"eventSource\":\"{source}.amazonaws.com\",\
         \"eventName\":\"{name}\",\"awsRegion\":\"{region}\",\"sourceIPAddress\":\"10.{}.{}.{}\",\"userAgent\":\
         \"aws-sdk-java/2.20.{} Linux/5.10 OpenJDK_64-Bit_Server_VM/17.0.9 vendor/Amazon.com_Inc. cfg/retry-mode/standard\",\
         \"requestParameters\":{request},\"responseElements\":{response},\"requestID\":\"{}\",\"eventID\":\"{}\",\
         \"readOnly\":{read_only},\"eventType\":\"AwsApiCall\",\"managementEvent\":true,\"recipientAccountId\":\
         \"{ACCOUNT}\",\"eventCategory\":\"Management\",\"tlsDetails\":{{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\
         \"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"{source}.{region}.amazonaws.com\"}}}}",
        key(session),
        role % 250,
        session % 250,
        session % 13,
        role % 90,
        id(rng),
        id(rng)
    )
    .unwrap();
}

/// One call of the attacker's: users and keys, and what the last key does.
fn attack(out: &mut String, rng: &mut StdRng, at: DateTime<Utc>, region: &str, number: u64) {
    let time = at.format("%Y-%m-%dT%H:%M:%SZ");
    let made = |number: u64| key(u64::MAX - number).replacen("ASIA", "AKIA", 1);
    let generation = number / 4;
    let own = if generation == 0 { STOLEN.to_owned() } else { made(generation - 1) };
    let (user, next) = (format!("svc-backup-{generation}"), made(generation));
    let caller = if generation == 0 { "deploy-bot".to_owned() } else { format!("svc-backup-{}", generation - 1) };
    let (source, name, request, response) = match number % 4 {
        0 => (
            "iam",
            "CreateUser",
            format!("{{\"userName\":\"{user}\"}}"),
            format!("{{\"user\":{{\"userName\":\"{user}\",\"userId\":\"AIDAEXAMPLE{generation:09}\"}}}}"),
        ),
        1 => (
            "iam",
            "CreateAccessKey",
            format!("{{\"userName\":\"{user}\"}}"),
            format!("{{\"accessKey\":{{\"userName\":\"{user}\",\"accessKeyId\":\"{next}\",\"status\":\"Active\"}}}}"),
        ),
        2 => (
            "secretsmanager",
            "GetSecretValue",
            format!("{{\"secretId\":\"prod/database-{generation}\"}}"),
            "null".to_owned(),
        ),
        _ => ("ec2", "DescribeInstances", "{}".to_owned(), "null".to_owned()),
    };
    write!(
        out,
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"IAMUser\",\"principalId\":\"AIDAEXAMPLE{caller}\",\"arn\":\
         \"arn:aws:iam::{ACCOUNT}:user/{caller}\",\"accountId\":\"{ACCOUNT}\",\"accessKeyId\":\"{own}\",\"userName\":\
         \"{caller}\"}},\"eventTime\":\"{time}\",\"eventSource\":\"{source}.amazonaws.com\",\"eventName\":\"{name}\",\
         \"awsRegion\":\"{region}\",\"sourceIPAddress\":\"203.0.113.77\",\"userAgent\":\"aws-cli/2.15.0\",\
         \"requestParameters\":{request},\"responseElements\":{response},\"eventID\":\"{}\",\"readOnly\":{},\
         \"eventType\":\"AwsApiCall\",\"managementEvent\":true,\"recipientAccountId\":\"{ACCOUNT}\",\"eventCategory\":\
         \"Management\"}}",
        id(rng),
        number % 4 > 1
    )
    .unwrap();
}
