//! Redis only: [`irp::ports::Store::durability_faults`].

use irp::adapters::redis::RedisStore;
use irp::ports::Store;
use redis::cmd;

use super::connect;
use crate::redis_server::{RedisServer, seal};

async fn faults(server: &RedisServer) -> Vec<String> {
    connect(server, "one").await.durability_faults().await.unwrap()
}

#[tokio::test]
async fn a_safe_server_has_none() {
    assert_eq!(faults(&RedisServer::start()).await, [""; 0]);
}

#[tokio::test]
async fn a_server_as_it_comes_is_not_safe() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    assert_eq!(
        faults(&server).await,
        [
            "Redis has appendonly no instead of yes: a restart loses incidents and approvals.",
            "Redis has maxmemory-policy allkeys-lru instead of noeviction: it deletes records when memory runs short.",
        ]
    );
}

#[tokio::test]
async fn a_file_that_is_not_synchronised_is_not_safe() {
    let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "no"]);
    assert_eq!(
        faults(&server).await,
        [
            "Redis has appendfsync no instead of everysec or always: a power cut loses what the system had not written yet."
        ]
    );
}

#[tokio::test]
async fn what_may_not_be_asked_is_said() {
    let server = RedisServer::start();
    let mut raw = server.raw().await;
    for (user, forbidden) in [("managed", "-config"), ("closed", "-info")] {
        let mut set = cmd("ACL");
        set.arg("SETUSER").arg(user).arg("on").arg(">pw").arg("~*").arg("+@all").arg(forbidden);
        set.exec_async(&mut raw).await.unwrap();
    }
    for (user, expected) in [
        ("managed", "Redis does not allow CONFIG GET: whether appendfsync is everysec or always could not be checked."),
        ("closed", "Redis does not allow INFO: whether it keeps what it is given could not be checked."),
    ] {
        let url = server.url().replace("redis://", &format!("redis://{user}:pw@"));
        let store = RedisStore::connect(&url, "one", seal()).await.unwrap();
        assert_eq!(store.durability_faults().await.unwrap(), [expected]);
    }
}
