//! The real program over real Redis, killed at the worst moments.

use std::time::Duration;

use irp_sandbox::aws::{Fault, KeyStatus};
use tokio::io::AsyncWriteExt;

use crate::program::Program;
use crate::redis_server::RedisServer;
use crate::world::{ANA, CHRIS, World};

mod every;
mod long_scenes;
mod points;
mod presses;
mod replicas;
mod scenes;
mod whole_way;

const KEY: &str = "Deactivate access key";
/// A dead process's work is taken over after 15 s, and a started call read back after 20.
const TAKEOVER: Duration = Duration::from_secs(50);

async fn killed_while(hanging: &str, fault: Fault) {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::without_bot(false).await;
    let first = Program::start(&mut w, &redis, &dir).await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let before = w.account.count(hanging);
    w.account.fail_next(hanging, fault);
    w.press(CHRIS, KEY, "irp.approve").await;
    w.until("the program hangs in the middle", |w| w.account.count(hanging) > before).await;
    drop(first);
    let _second = Program::start(&mut w, &redis, &dir).await;
    w.until_within(TAKEOVER, "the incident goes on", |w| w.says(KEY, "carried out and verified")).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "exactly one call reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_approval_and_call_it_calls_once() {
    killed_while("GetUser", Fault::HangBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_call_and_record_it_reads_back_and_does_not_call_again() {
    killed_while("UpdateAccessKey", Fault::HangAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_of_nonsense_stay_out_of_memory() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::without_bot(false).await;
    let program = Program::start(&mut w, &redis, &dir).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let before = program.rss_kb();
    let mut highest = before;
    for announced in [true, false] {
        let mut stream = tokio::net::TcpStream::connect(w.bot_url.trim_start_matches("http://")).await.unwrap();
        let length = if announced { "content-length: 209715200" } else { "transfer-encoding: chunked" };
        let head = format!(
            "POST /slack/interactions HTTP/1.1\r\nhost: irp\r\nx-slack-request-timestamp: {now}\r\n\
             x-slack-signature: v0=00\r\n{length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let block = vec![b'x'; 1 << 20];
        for _ in 0..200 {
            // Refused in the middle, as it should be.
            if !announced && stream.write_all(b"100000\r\n").await.is_err() {
                break;
            }
            if stream.write_all(&block).await.is_err() || (!announced && stream.write_all(b"\r\n").await.is_err()) {
                break;
            }
            highest = highest.max(program.rss_kb());
        }
    }
    assert!(highest < before + 20 * 1024, "from {before} kB to {highest} kB");
    w.incident().await;
}
