//! TLS of the server: which pairs of files are taken, and what else they change.

use std::time::Duration;

use autovia_testkit::{Authority, Certificate};

use super::*;

fn text(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn world(certificate: &Certificate) -> World {
    World::new()
        .file("/cert.pem", &text(&certificate.chain_file))
        .file("/key.pem", &text(&certificate.key_file))
}

const BOTH: [&str; 2] = ["--tls-cert=/cert.pem", "--tls-key=/key.pem"];

#[test]
fn with_a_pair_cookies_are_for_https_unless_somebody_says_otherwise() {
    let authority = Authority::new();
    let world = world(&authority.issue(&["a.test"]));
    let config = resolve(&BOTH, &world).unwrap();
    assert!(config.secure_cookie && config.hsts_time.is_none());
    assert_eq!(config.warnings, Vec::<String>::new());
    let [cert, key] = BOTH;
    let said = ["--secure-cookie=false", "--hsts-seconds=60", cert, key];
    let config = resolve(&said, &world).unwrap();
    assert!(!config.secure_cookie);
    assert_eq!(config.hsts_time, Some(Duration::from_secs(60)));
    assert!(!resolve(&[], &world).unwrap().secure_cookie);
}

#[test]
fn both_or_neither() {
    let authority = Authority::new();
    let world = world(&authority.issue(&["a.test"]));
    assert_eq!(
        error(&BOTH[..1], &world),
        "tls-cert (from --tls-cert) without tls-key: TLS needs both, give tls-key too or leave tls-cert out"
    );
    assert!(error(&BOTH[1..], &world).starts_with("tls-key (from --tls-key) without tls-cert"));
    let alone = error(&["--hsts-seconds=60"], &world);
    assert!(
        alone.starts_with("hsts-seconds (from --hsts-seconds) without tls-cert"),
        "{alone}"
    );
}

#[test]
fn what_is_no_pair_is_told_by_file_and_reason() {
    let authority = Authority::new();
    let good = authority.issue(&["a.test"]);
    let other = authority.issue(&["b.test"]);
    let mut mixed = world(&good);
    mixed.files.insert("/key.pem", text(&other.key_file));
    assert_eq!(
        error(&BOTH, &mixed),
        "the certificate `/cert.pem` from --tls-cert with the key `/key.pem` from --tls-key: the certificate is for another key: the first certificate of the chain must be the one that was made for this key"
    );
    let mut missing = world(&good);
    missing.files.remove("/key.pem");
    let told = error(&BOTH, &missing);
    assert!(
        told.starts_with("can't read the key `/key.pem` from --tls-key:"),
        "{told}"
    );
    for (certificate, word) in [
        (
            authority.issue_expired(&["a.test"]),
            "not valid any more since Tue, 01 Jan 2002",
        ),
        (authority.issue_early(&["a.test"]), "not valid yet"),
    ] {
        let warnings = resolve(&BOTH, &world(&certificate)).unwrap().warnings;
        assert!(warnings[0].contains(word), "{warnings:?}");
    }
}

#[test]
fn a_key_that_everybody_reads_is_told() {
    let authority = Authority::new();
    let mut world = world(&authority.issue(&["a.test"]));
    world.open_files.push("/key.pem");
    let warnings = resolve(&BOTH, &world).unwrap().warnings;
    assert!(warnings[0].ends_with("chmod 600 /key.pem"), "{warnings:?}");
}
