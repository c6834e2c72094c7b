//! A folder. It keeps what it is given until somebody changes it: only the hash of the manifest, kept somewhere
//! else, shows that nobody has.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ports::{Pack, Vault, VaultError};

/// Made and taken away again, to see whether anything can be put there.
const PROBE: &str = ".irp-check";
/// Bytes that are read back at once.
const READ_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Clone, Debug)]
pub struct DirectoryVault {
    root: PathBuf,
}

impl DirectoryVault {
    /// Packs become folders in `root`, which has to exist; empty for the working directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl Vault for DirectoryVault {
    async fn store(&self, name: &str, pack: Pack<'_>) -> Result<String, VaultError> {
        let folder = self.root.join(name);
        fs::create_dir(&folder).await.map_err(|error| fault(&folder, &error))?;
        let (manifest, list) = pack.manifest;
        for (path, bytes) in pack.files {
            write(&folder.join(path), &bytes).await?;
        }
        write(&folder.join(manifest), list).await?;
        Ok(folder.display().to_string())
    }

    async fn inspect(&self) -> Result<String, VaultError> {
        let root = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        let found = fs::metadata(root).await.map_err(|error| fault(root, &error))?;
        if !found.is_dir() {
            return Err(VaultError::Refused(format!("{} is not a folder", root.display())));
        }
        if found.permissions().readonly() {
            return Err(VaultError::Refused(format!("{} is a folder that nothing may be written to", root.display())));
        }
        // Whether something can be put on a read-only file system only trying tells.
        let probe = root.join(PROBE);
        match fs::create_dir(&probe).await {
            Ok(()) => fs::remove_dir(&probe).await.map_err(|error| fault(&probe, &error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(VaultError::Refused(format!("{}: nothing can be put there: {error}", root.display())));
            }
        }
        Ok(format!("packs become folders in {}, where nothing keeps them from being changed", root.display()))
    }
}

/// Writes a new file, and returns when it is on the disk and reads as it was given.
async fn write(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let written = async {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        let mut file = fs::File::create_new(path).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        reads_as(path, bytes).await
    };
    if !written.await.map_err(|error| fault(path, &error))? {
        return Err(VaultError::Refused(format!("{} does not read as it was written", path.display())));
    }
    Ok(())
}

/// Whether a file has these bytes and no others.
async fn reads_as(path: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    let (mut file, mut left, mut buffer) = (fs::File::open(path).await?, bytes, vec![0; READ_BYTES]);
    loop {
        let count = file.read(&mut buffer).await?;
        match left.strip_prefix(&buffer[..count]) {
            Some(rest) if count > 0 => left = rest,
            same => return Ok(same.is_some() && left.is_empty()),
        }
    }
}

fn fault(path: &Path, error: &std::io::Error) -> VaultError {
    match error.kind() {
        ErrorKind::AlreadyExists => VaultError::Exists(path.display().to_string()),
        _ => VaultError::Refused(format!("{}: {error}", path.display())),
    }
}
