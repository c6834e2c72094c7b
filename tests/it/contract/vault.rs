//! What every vault must keep, over a folder and over S3 with Object Lock; and what only S3 can do wrong.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use irp::adapters::aws::StaticKey;
use irp::adapters::clock::SystemClock;
use irp::adapters::vault::directory::DirectoryVault;
use irp::adapters::vault::s3::S3Vault;
use irp::config::vault::{Bucket, LockMode};
use irp::ports::{Pack, Vault, VaultError};
use irp_sandbox::aws::Account;
use irp_sandbox::clock::Clock as SandboxClock;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

mod locked;

type Files = BTreeMap<String, Vec<u8>>;

const BUCKET: &str = "irp-evidence";
const MANIFEST: &str = "manifest.json";
/// All that the bot needs.
const PERMISSIONS: [&str; 5] = [
    "s3:GetBucketObjectLockConfiguration",
    "s3:PutObject",
    "s3:PutObjectRetention",
    "s3:GetObject",
    "s3:GetObjectRetention",
];

/// A vault, and another way to what lies in it.
struct Given {
    vault: Arc<dyn Vault>,
    behind: Behind,
}

enum Behind {
    Folder(TempDir),
    Bucket(Cloud),
}

/// An account behind a socket, for as long as this lives.
struct Cloud {
    account: Account,
    url: String,
    _server: JoinSet<()>,
}

impl Cloud {
    /// With a bucket that locks, and a bot that may use it.
    async fn start() -> Self {
        let account = Account::demo(SandboxClock::new(1));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (router, mut server) = (account.router(), JoinSet::new());
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        account.put_bucket(BUCKET, "us-east-1", true);
        let cloud = Self { account, url, _server: server };
        cloud.allow(&PERMISSIONS);
        cloud
    }

    /// Lets the bot do just this.
    fn allow(&self, actions: &[&str]) {
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::*"]},
        ]});
        self.account.put_user_policy_directly("irp-bot", "vault", Some(&document.to_string()));
    }

    async fn vault(&self, change: impl FnOnce(&mut Bucket)) -> S3Vault {
        let mut bucket = Bucket {
            name: BUCKET.into(),
            prefix: "packs".into(),
            region: "us-east-1".into(),
            lock_mode: LockMode::Governance,
            lock_days: 365,
        };
        change(&mut bucket);
        let key = self.account.principal_credentials("irp-bot").unwrap();
        let key = StaticKey { access_key_id: key.access_key_id, secret_access_key: key.secret_access_key.into() };
        S3Vault::new(bucket, Some(&self.url), Some(key), Arc::new(SystemClock)).await
    }
}

impl Given {
    /// All that lies in the vault, by its path from there.
    fn files(&self) -> Files {
        match &self.behind {
            Behind::Folder(folder) => {
                let mut found = Files::new();
                read_folder(folder.path(), folder.path(), &mut found);
                found
            }
            Behind::Bucket(cloud) => {
                let objects = cloud.account.objects(BUCKET).into_iter();
                objects.map(|(key, bytes)| (key.strip_prefix("packs/").unwrap().to_owned(), bytes.to_vec())).collect()
            }
        }
    }
}

fn read_folder(root: &Path, folder: &Path, found: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            read_folder(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read(path).unwrap());
        }
    }
}

fn over_folder() -> Given {
    let folder = tempfile::tempdir().unwrap();
    Given { vault: Arc::new(DirectoryVault::new(folder.path())), behind: Behind::Folder(folder) }
}

async fn over_bucket() -> Given {
    let cloud = Cloud::start().await;
    Given { vault: Arc::new(cloud.vault(|_| {}).await), behind: Behind::Bucket(cloud) }
}

fn files() -> Files {
    let all = [("log.ndjson", "one\ntwo\n"), ("cards/announcement.json", "{}"), ("cards/step.R1 é.json", "")];
    all.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect()
}

async fn store(vault: &dyn Vault, name: &str, files: &Files) -> Result<String, VaultError> {
    vault.store(name, Pack { files: files.clone(), manifest: (MANIFEST, b"the list") }).await
}

/// As it has to lie there.
fn stored(name: &str) -> Files {
    let list = (MANIFEST.to_owned(), b"the list".to_vec());
    files().into_iter().chain([list]).map(|(path, bytes)| (format!("{name}/{path}"), bytes)).collect()
}

macro_rules! suite {
    ($($test:ident)+) => {
        mod folder { $(#[tokio::test] async fn $test() { super::$test(&super::over_folder()).await; })+ }
        mod bucket { $(#[tokio::test] async fn $test() { super::$test(&super::over_bucket().await).await; })+ }
    };
}

suite! {
    a_pack_lies_there_as_it_was_given
    a_name_is_used_once
    packs_lie_beside_each_other
    what_was_not_finished_is_not_gone_on_with
    asking_writes_nothing
}

async fn a_pack_lies_there_as_it_was_given(given: &Given) {
    let place = store(&*given.vault, "INC-1-pack", &files()).await.unwrap();
    assert!(place.contains("INC-1-pack"), "{place}");
    assert_eq!(given.files(), stored("INC-1-pack"));
}

async fn a_name_is_used_once(given: &Given) {
    store(&*given.vault, "INC-1-pack", &files()).await.unwrap();
    let other = Files::from([("log.ndjson".to_owned(), b"another".to_vec())]);
    for again in [files(), other, Files::new()] {
        let refused = store(&*given.vault, "INC-1-pack", &again).await.unwrap_err();
        assert!(matches!(&refused, VaultError::Exists(_)), "{refused}");
        assert!(refused.to_string().contains("INC-1-pack"), "{refused}");
    }
    assert_eq!(given.files(), stored("INC-1-pack"));
}

async fn packs_lie_beside_each_other(given: &Given) {
    for name in ["INC-1-pack", "INC-11-pack"] {
        store(&*given.vault, name, &files()).await.unwrap();
    }
    assert_eq!(given.files(), stored("INC-1-pack").into_iter().chain(stored("INC-11-pack")).collect());
}

async fn what_was_not_finished_is_not_gone_on_with(given: &Given) {
    let left = match &given.behind {
        Behind::Folder(folder) => {
            std::fs::create_dir(folder.path().join("INC-1-pack")).unwrap();
            std::fs::write(folder.path().join("INC-1-pack/log.ndjson"), "one\n").unwrap();
            given.files()
        }
        Behind::Bucket(cloud) => {
            cloud.account.fail_next("HeadObject", irp_sandbox::aws::Fault::AccessDenied);
            let one = Files::from([("log.ndjson".to_owned(), b"one\n".to_vec())]);
            store(&*given.vault, "INC-1-pack", &one).await.unwrap_err();
            given.files()
        }
    };
    assert_eq!(left, Files::from([("INC-1-pack/log.ndjson".to_owned(), b"one\n".to_vec())]));
    let refused = store(&*given.vault, "INC-1-pack", &files()).await.unwrap_err();
    assert!(matches!(&refused, VaultError::Exists(_)), "{refused}");
    assert!(!given.files().contains_key("INC-1-pack/manifest.json"), "it would look finished");
    assert_eq!(given.files()["INC-1-pack/log.ndjson"], b"one\n");
}

async fn asking_writes_nothing(given: &Given) {
    let said = given.vault.inspect().await.unwrap();
    let says = match &given.behind {
        Behind::Folder(_) => "nothing keeps them from being changed",
        Behind::Bucket(_) => "s3://irp-evidence/packs has Object Lock on; packs are kept in GOVERNANCE mode for 365",
    };
    assert!(said.contains(says), "{said}");
    assert!(given.files().is_empty());
}

#[tokio::test]
async fn a_folder_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (root, says) in [(file, "is not a folder"), (folder.path().join("none"), "No such file")] {
        let vault = DirectoryVault::new(&root);
        let said = vault.inspect().await.unwrap_err().to_string();
        assert!(said.contains(says) && said.contains(root.to_str().unwrap()), "{said}");
        let refused = store(&vault, "INC-1-pack", &files()).await.unwrap_err();
        assert!(matches!(&refused, VaultError::Refused(_)), "{refused}");
    }
}
