//! The counter in a crate outside the workspace, with `autovia` and `maud` in its Cargo.toml and
//! nothing else.

use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"[package]
name = "counter"
edition = "2024"

[dependencies]
autovia = { path = "AUTOVIA" }
maud = "0.27"

[workspace]
"#;

#[test]
fn the_counter_builds_with_two_dependencies() {
    // Given the counter's source in a package of its own, as a reader of the docs would make it,
    let autovia = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counter");
    std::fs::create_dir_all(folder.join("src")).expect("cargo's folder for tests is writable");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("cargo's folder for tests is writable");
    };
    let path = autovia.to_str().expect("the path is UTF-8");
    write("Cargo.toml", &MANIFEST.replace("AUTOVIA", path));
    let counter =
        std::fs::read_to_string(autovia.join("examples/counter.rs")).expect("the example is there");
    write("src/main.rs", &counter);
    // With the versions that the workspace is locked to: nothing is asked of the network.
    std::fs::copy(autovia.join("Cargo.lock"), folder.join("Cargo.lock"))
        .expect("the workspace is locked");
    // when it is checked, in the folder where what it needs has been built already,
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's folder for tests lies in the target folder");
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--message-format", "short"])
        .env("CARGO_TARGET_DIR", target)
        // What `cargo test` set for itself is not for another package.
        .env_remove("RUSTFLAGS")
        .current_dir(&folder)
        .output()
        .expect("cargo runs");
    // then it has no error, and no warning either.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}
