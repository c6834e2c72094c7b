//! `irp trail analyze`: the real program on files as they come, and on files as nobody wants them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const STOLEN: &str = "AKIAIOSFODNN7EXAMPLE";
const MADE: &str = "AKIAI44QH8DHBEXAMPLE";

/// What was said, on standard output and error.
fn analyze(format: &str, paths: &[&Path], more: &[&str]) -> (bool, String, String) {
    analyze_of(&["--credential", STOLEN], format, paths, more)
}

fn analyze_of(whose: &[&str], format: &str, paths: &[&Path], more: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_irp"))
        .env_clear()
        .args(["trail", "analyze", "--format", format])
        .args(whose)
        .args(more)
        .args(paths)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn answer(path: &Path) -> Value {
    let (success, out, err) = analyze("json", &[path], &[]);
    assert!(success && err.is_empty(), "{err}");
    serde_json::from_str(&out).unwrap()
}

fn record(id: &str, key: &str, call: (&str, &str), more: &Value) -> Value {
    let (user, address) =
        if [STOLEN, MADE].contains(&key) { ("deploy", "203.0.113.77") } else { ("ana", "198.51.100.8") };
    let mut record = json!({
        "eventVersion": "1.11", "eventID": id, "eventTime": "2026-01-31T10:00:00Z", "eventName": call.1,
        "eventSource": format!("{}.amazonaws.com", call.0), "awsRegion": "us-east-1", "readOnly": false,
        "recipientAccountId": "111122223333", "sourceIPAddress": address, "userAgent": "<script>\u{1b}[2J",
        "userIdentity": {"type": "IAMUser", "principalId": format!("AIDA{user}"), "userName": user, "accessKeyId": key,
            "accountId": "111122223333", "arn": format!("arn:aws:iam::111122223333:user/{user}")},
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

/// A key that makes another, which deletes a trail.
fn attack() -> [Value; 3] {
    [
        record(
            "id-1",
            STOLEN,
            ("iam", "CreateAccessKey"),
            &json!({"requestParameters": {"userName": "bob"},
            "responseElements": {"accessKey": {"userName": "bob", "accessKeyId": MADE}}}),
        ),
        record("id-2", MADE, ("cloudtrail", "DeleteTrail"), &json!({"requestParameters": {"name": "main"}})),
        record("id-3", "AKIASOMEBODYELSE0000", ("iam", "CreateUser"), &json!({"requestParameters": {"userName": "x"}})),
    ]
}

fn gzip(path: &Path, bytes: &[u8]) {
    let mut file = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    file.write_all(bytes).unwrap();
    file.finish().unwrap();
}

fn is_found(answer: &Value) {
    let events = &answer["events"];
    assert_eq!((&events["attributed"], &events["succeeded_mutations"]), (&json!(2), &json!(2)), "{answer:#}");
    let made = answer["credentials"].as_array().unwrap().iter().find(|c| c["access_key_id"] == MADE).unwrap();
    assert_eq!((&made["reached_by"]["from"], &made["reached_by"]["event_id"]), (&json!(STOLEN), &json!("id-1")));
    let footprint = answer["footprint"].as_array().unwrap();
    let trail = footprint.iter().find(|r| r["resource_type"] == "AWS::CloudTrail::Trail").unwrap();
    assert_eq!(
        (&trail["id"], &trail["state"], &trail["evidence"]),
        (&json!("main"), &json!("deleted"), &json!(["id-2"]))
    );
}

#[test]
fn every_form_of_logs_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c] = attack();
    let text = |records: &[&Value]| records.iter().map(ToString::to_string).collect::<Vec<_>>();
    let inside: Vec<Value> =
        [&a, &b, &c].iter().map(|r| json!({"EventId": r["eventID"], "CloudTrailEvent": r.to_string()})).collect();
    let bridge: Vec<String> =
        [&a, &b, &c].iter().map(|r| json!({"version": "0", "source": "aws.iam", "detail": r}).to_string()).collect();
    for (name, bytes) in [
        ("s3.json", json!({"Records": [a, b, c]}).to_string()),
        ("pretty.json", format!("{:#}", json!([a, b, c]))),
        ("lines.ndjson", text(&[&b, &a, &c]).join("\n")),
        ("lookup.json", json!({"Events": inside, "NextToken": "x"}).to_string()),
        ("bridge.json", bridge.join("\n")),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        is_found(&answer(&path));
        let path = dir.path().join(format!("{name}.gz"));
        gzip(&path, bytes.as_bytes());
        let answer = answer(&path);
        is_found(&answer);
        assert_eq!((&answer["events"]["read"], &answer["events"]["unreadable"]), (&json!(3), &json!(0)), "{name}");
    }
    // All of them at once: each record counts once.
    let all = answer(dir.path());
    is_found(&all);
    assert_eq!((&all["events"]["read"], &all["events"]["duplicates"]), (&json!(30), &json!(18)));
}

#[test]
fn a_credential_that_is_met_before_the_one_it_comes_from_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c] = attack();
    let file = |time: &str| dir.path().join(format!("111122223333_CloudTrail_us-east-1_20260131T{time}Z_x.json.gz"));
    gzip(&file("1000"), json!({"Records": [b]}).to_string().as_bytes());
    for number in 0..50 {
        gzip(&file(&format!("11{number:02}")), json!({"Records": [c]}).to_string().as_bytes());
    }
    gzip(&file("1200"), json!({"Records": [a]}).to_string().as_bytes());
    is_found(&answer(dir.path()));
}

#[test]
fn bad_files_are_named_and_the_rest_is_analysed() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c] = attack();
    fs::write(dir.path().join("good.json"), json!({"Records": [a, b, c]}).to_string()).unwrap();
    // Cut off in the middle.
    let many: Vec<Value> =
        (0..2_000).map(|n| record(&format!("c{n}"), "AKIAX", ("s3", "X"), &json!({"n": n}))).collect();
    gzip(&dir.path().join("cut.json.gz"), json!({"Records": many}).to_string().as_bytes());
    let whole = fs::read(dir.path().join("cut.json.gz")).unwrap();
    fs::write(dir.path().join("cut.json.gz"), &whole[..whole.len() / 2]).unwrap();
    // A bomb: a hundred megabytes of nothing.
    let mut bomb = GzEncoder::new(File::create(dir.path().join("bomb.json.gz")).unwrap(), Compression::best());
    (0..100).for_each(|_| bomb.write_all(&vec![b' '; 1 << 20]).unwrap());
    bomb.finish().unwrap();
    // A record of 50 MB between two others.
    let huge = record("huge", STOLEN, ("s3", "PutObject"), &json!({"requestParameters": {"x": "y".repeat(50 << 20)}}));
    let after = record("after", MADE, ("iam", "GetUser"), &json!({"readOnly": true}));
    fs::write(dir.path().join("huge.json"), json!({"Records": [c, huge, after]}).to_string()).unwrap();
    fs::write(dir.path().join("picture.png"), [0x89, b'P', b'N', b'G', 0, 1, 2, 3]).unwrap();
    fs::write(dir.path().join("empty.json.gz"), []).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("round")).unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe.json")).status().unwrap().success());

    let (success, out, err) = analyze("json", &[dir.path()], &[]);
    assert!(success, "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["events"]["attributed"], 3, "the rest is analysed");
    let said = answer["unreadable"].to_string();
    for part in [
        "cut.json.gz: damaged or cut off",
        "bomb.json.gz: damaged",
        "200 times its size",
        "more than 8 MiB",
        "picture.png",
        "round: is a link",
        "pipe.json: is no file",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for (name, part) in [("text", "Could not be read"), ("html", "<svg")] {
        let (success, out, _) = analyze(name, &[dir.path()], &[]);
        assert!(success && out.contains(part), "{name}");
        assert!(!out.contains('\u{1b}') && !out.contains("<script>"), "{name} takes orders from the logs");
    }
}

/// More keys than are followed, in one file: each makes the next one, and the last the first.
#[test]
fn keys_without_end_that_make_each_other_in_a_loop_are_followed_as_far_as_there_is_room() {
    const KEYS: usize = 120_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loop.ndjson");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let key = |n: usize| if n == 0 { STOLEN.to_owned() } else { format!("AKIA{n:016}") };
    for n in 0..KEYS {
        let (from, made) = (key(n), key((n + 1) % KEYS));
        let more = json!({"requestParameters": {"userName": "bob"},
            "responseElements": {"accessKey": {"userName": "bob", "accessKeyId": made}}});
        writeln!(file, "{}", record(&format!("id-{n}"), &from, ("iam", "CreateAccessKey"), &more)).unwrap();
    }
    file.flush().unwrap();
    // In kilobytes of memory of its own.
    let within = "ulimit -d 400000; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", within, "sh", env!("CARGO_BIN_EXE_irp"), "trail", "analyze", "--format", "json", "--credential"])
        .args([STOLEN.as_ref(), path.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["events"]["read"], KEYS);
    let cut = answer["cut"].to_string();
    assert!(cut.contains("more can be reached from the stolen credentials than is followed"), "{cut}");
    let made = answer["credentials"].as_array().unwrap().iter().find(|held| held["access_key_id"] == key(1)).unwrap();
    assert_eq!(made["reached_by"]["event_id"], "id-0");
}

#[test]
fn a_responder_overrules_and_wrong_words_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s3.json");
    fs::write(&path, json!({"Records": attack()}).to_string()).unwrap();
    let (_, out, _) = analyze("json", &[&path], &["--attribute", "id-1=owner"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answer["events"]["attributed"], &answer["events"]["owner"]), (&json!(0), &json!(1)));
    assert_eq!(answer["others"][0]["why"], "a responder says so");
    let (success, _, err) = analyze("json", &[&path], &["--attribute", "id-1=nobody"]);
    assert!(!success && err.contains("is not like 203.0.113.7=owner"), "{err}");
    let (success, _, err) = analyze("json", &[&path], &["--since", "yesterday"]);
    assert!(!success && err.contains("such as 2026-01-31T12:00:00Z"), "{err}");
    let (success, _, err) = analyze_of(&[], "json", &[&path], &[]);
    assert!(!success && err.contains("--credential") && err.contains("--principal"), "{err}");
    let (success, _, err) = analyze("json", &[&dir.path().join("nowhere")], &[]);
    assert!(!success && err.contains("there are no files in"), "{err}");
}

#[test]
fn without_a_key_whoever_is_named_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs.json");
    fs::write(&path, json!({"Records": attack()}).to_string()).unwrap();
    let user = "arn:aws:iam::111122223333:user/deploy";
    let (success, out, err) = analyze_of(&["--principal", user], "json", &[&path], &[]);
    assert!(success && err.is_empty(), "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&answer["asked"]["principals"], &answer["events"]["attributed"]),
        (&json!([user]), &json!(2)),
        "{answer:#}"
    );
    assert_eq!(answer["credentials"][0]["principal"], json!(user));
    let held = answer["credentials"].as_array().unwrap();
    assert!(held.iter().any(|one| one["access_key_id"] == MADE), "{held:#?}");
    let (_, text, _) = analyze_of(&["--principal", user], "html", &[&path], &[]);
    assert!(text.contains(&format!("What {user} did")), "the page says whom it is about");
    for (whose, says) in [(&["--principal", "deploy"][..], "no ARN of a user"), (&[], "--credential")] {
        let (success, _, err) = analyze_of(whose, "text", &[&path], &[]);
        assert!(!success && err.contains(says), "{err}");
    }
}

#[test]
fn whoever_came_in_from_outside_is_named_in_every_form() {
    const TAKEN: &str = "ASIAIOSFODNN7EXAMPLE";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs.json");
    let session = "arn:aws:sts::111122223333:assumed-role/app/scan";
    let comes_in = json!({
        "userIdentity": {"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDAVENDOR"},
        "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/app", "roleSessionName": "scan"},
        "responseElements": {"credentials": {"accessKeyId": TAKEN},
            "assumedRoleUser": {"assumedRoleId": "AROAAPP:scan", "arn": session}},
    });
    fs::write(&path, json!([record("id-1", STOLEN, ("sts", "AssumeRole"), &comes_in)]).to_string()).unwrap();
    let analyze = |format| analyze_of(&["--credential", TAKEN], format, &[&path], &[]).1;
    let answer: Value = serde_json::from_str(&analyze("json")).unwrap();
    let way = json!({"role_arn": "arn:aws:iam::111122223333:role/app", "event_id": "id-1",
        "outsider": {"kind": "account", "account": "444455556666"}});
    assert_eq!(answer["entrances"], json!([way]));
    for format in ["text", "html"] {
        let shown = analyze(format);
        assert!(shown.contains("Came in from outside") && shown.contains("account 444455556666"), "{shown}");
    }
    // Whoever has always been in does not come in.
    fs::write(&path, json!({"Records": attack()}).to_string()).unwrap();
    assert!(!analyze("text").contains("Came in from outside"));
}
