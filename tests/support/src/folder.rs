//! A folder of a test, which goes when the test does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static MADE: Mutex<u32> = Mutex::new(0);

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(purpose: &str) -> Self {
        let number = {
            let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
            *made += 1;
            *made
        };
        let name = format!("autovia-{purpose}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("cannot make a folder: {error}"));
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a child still writes there may bring the folder back: it is in the temporary place.
        let _ = fs::remove_dir_all(&self.0);
    }
}
