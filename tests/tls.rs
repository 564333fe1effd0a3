//! TLS of the server: pages, clicks and streams by it, its certificate changed while it runs, and
//! clients that break its rules.

mod common;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use autovia_testkit::{Authority, Certificate, Client, Connection, Page, Running, Server};
use common::{SHARDS, has_value, probe, value};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A server with a certificate of its own, and who trusts it.
struct Stage {
    authority: Authority,
    certificate: Certificate,
    server: Running,
    client: Client,
}

fn with(server: Server) -> Stage {
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1"]);
    let server = server
        .arg("--tls-cert")
        .arg(&certificate.chain_file)
        .arg("--tls-key")
        .arg(&certificate.key_file)
        .start();
    let client = Client::new(server.port()).with_tls(authority.client_config());
    Stage {
        authority,
        certificate,
        server,
        client,
    }
}

impl Stage {
    fn raw(&self) -> Connection {
        Connection::open(self.server.port()).expect("it listens")
    }

    /// Others are served, and nothing panicked.
    fn assert_well(&self) {
        let page = Page::open(&self.client.stranger(), "/");
        assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
        let log = self.server.log().join("\n");
        assert!(!log.contains("panic"), "{log}");
    }
}

#[test]
fn pages_clicks_and_streams_go_by_both_versions_on_every_shard() {
    for shards in SHARDS {
        let stage = with(probe().shards(shards));
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            // Given a page on each shard, in a browser that speaks one version,
            let config = stage.authority.client_config_for(version);
            let client = Client::new(stage.server.port()).with_tls(config);
            for shard in 0..u16::try_from(shards).expect("few shards") {
                let page = Page::open_on(&client, "/", shard);
                // when streams are opened by connections that are accepted anywhere,
                let mut streams: Vec<_> = (0..4).map(|_| page.stream()).collect();
                // then each is told what is clicked, on whatever shard it was accepted.
                for count in 1..=3 {
                    assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
                    for stream in &mut streams {
                        stream.until(|event| {
                            has_value(event, "count") && event.signals()["count"] == count
                        });
                    }
                }
            }
        }
        stage.assert_well();
    }
}

#[test]
fn the_start_line_the_cookie_the_origin_and_the_header_are_those_of_https() {
    let stage = with(probe().shards(2).arg("--hsts-seconds=600"));
    assert!(stage.server.base_url().starts_with("https://"));
    let page = Page::open(&stage.client, "/");
    let header = |response: &autovia_testkit::Response| {
        let value = response.header("strict-transport-security");
        value.map(str::to_owned)
    };
    let said = Some("max-age=600".to_owned());
    assert_eq!(header(&page.response), said);
    let cookie = page.response.header("set-cookie").expect("a new session");
    assert!(cookie.starts_with("__Host-via_session_id=") && cookie.ends_with("; Secure"));
    for path in ["/via.css", "/nowhere", "/_health"] {
        assert_eq!(header(&stage.client.get(path)), said, "{path}");
    }
    let (refused, _) = stage.client.exchange(b"NONSENSE\r\n\r\n");
    assert_eq!((refused.status, header(&refused)), (400, said.clone()));
    // A stream says it too, and one that is refused.
    let mut connection = stage.client.connect();
    let request = stage.client.encode("GET", &page.stream_path(), &[], b"");
    connection.write(&request).expect("it reads");
    assert_eq!(header(&connection.response_head().expect("a head")), said);
    let stranger = stage.client.stranger();
    let (gone, _) = stranger.exchange(&stranger.encode("GET", &page.stream_path(), &[], b""));
    assert_eq!((gone.status, header(&gone)), (410, said));
    // A page of http:// is a foreign one here.
    let plain = format!("http://{}", stage.client.host());
    let click = page.action("add").header("Origin", &plain).send();
    assert_eq!(click.status, 403);
    assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
}

#[test]
fn whoever_speaks_plain_http_is_told_that_this_port_speaks_tls() {
    let stage = with(probe().shards(2));
    let plain = Client::new(stage.server.port());
    let response = plain.get("/");
    assert_eq!(response.status, 400);
    assert!(
        response.text().contains("speaks TLS"),
        "{}",
        response.text()
    );
    assert_eq!(response.header("strict-transport-security"), None);
    stage.assert_well();
}

#[test]
fn a_slow_reader_gets_the_last_state_by_tls_too() {
    let stage = with(probe().shards(2).arg("--outbox-seconds=3600"));
    let page = Page::open(&stage.client, "/take");
    let mut stream = page.slow_stream(4096);
    let text = |n: usize| format!("{n} {}", "x".repeat(60_000));
    for n in 0..40 {
        let inputs = json!({ "draft": text(n) });
        assert_eq!(page.act("send", json!([]), inputs).status, 200);
    }
    let last = text(39);
    let events = stream.collect_until(|event| {
        has_value(event, "sent") && event.signals()["sent"] == last.as_str()
    });
    assert!(events.len() < 40, "{} events were kept", events.len());
    let inputs = json!({ "draft": "short" });
    assert_eq!(page.act("send", json!([]), inputs).status, 200);
    stream.until(|event| has_value(event, "sent") && event.signals()["sent"] == "short");
}

/// A raw stream of a page, its head read.
fn stream_of(stage: &Stage, page: &Page) -> Connection {
    let mut connection = page.client.connect();
    let request = page.client.encode("GET", &page.stream_path(), &[], b"");
    connection.write(&request).expect("it reads");
    let head = connection.response_head().expect("a head");
    assert_eq!(head.status, 200, "{:?}", stage.server.log());
    connection
}

/// Reads decrypted bytes until they hold `text`.
fn read_until(connection: &mut Connection, text: &str) {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let count = connection.tls().read(&mut buffer).expect("bytes come");
        assert!(count > 0, "the stream ended after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

#[test]
fn new_keys_end_no_stream_and_a_word_does() {
    for shards in SHARDS {
        let stage = with(probe().shards(shards));
        let page = Page::open(&stage.client, "/");
        // Given a stream whose client asks for new keys now and then,
        let mut stream = stream_of(&stage, &page);
        for count in 1..=3 {
            let tls = stream.tls();
            tls.conn.refresh_traffic_keys().expect("TLS 1.3");
            tls.flush().expect("it reads");
            // when something is clicked, then it is told.
            assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
            read_until(&mut stream, &format!("\"count\":{count}"));
        }
        // A client that says something on its stream has lost it.
        stream.write(b"x").expect("it reads");
        let end = stream.rest().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&end), "");
        stage.assert_well();
    }
}

#[test]
fn a_server_that_leaves_says_so_within_tls() {
    let stage = with(probe().shards(2));
    let page = Page::open(&stage.client, "/");
    let mut stream = stream_of(&stage, &page);
    stage.server.ask_to_stop();
    // An end that TLS was not told of is an error of this read.
    let rest = stream.rest().expect("the end is told within TLS");
    assert!(String::from_utf8_lossy(&rest).contains("retry:"));
    assert_eq!(stage.server.wait_exit().code(), Some(0));
}

/// One record: its type, the version 3.1 or 3.3, its length.
fn record(kind: u8, length: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 1];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The hello of a client that knows TLS 1.1 at most.
fn hello_of_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend_from_slice(&[7; 32]);
    hello.push(0);
    hello.extend_from_slice(&[0, 4, 0xc0, 0x13, 0xc0, 0x14]);
    hello.extend_from_slice(&[1, 0]);
    // The kinds of signatures, without which nothing is begun: ECDSA P-256 with SHA-256.
    hello.extend_from_slice(&[0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut message = vec![1, 0, 0, u8::try_from(hello.len()).expect("short")];
    message.extend_from_slice(&hello);
    record(22, u16::try_from(message.len()).expect("short"), &message)
}

#[test]
fn handshakes_that_break_the_rules_are_refused_and_others_are_served() {
    for shards in SHARDS {
        let stage = with(probe().shards(shards).arg("--log-level=debug"));
        // The alerts of RFC 8446, 6: 50 decode error, 70 protocol version.
        let rows: [(&str, Vec<u8>, Option<u8>); 6] = [
            ("TLS 1.1", hello_of_1_1(), Some(70)),
            (
                "garbage in a handshake record",
                record(22, 40, &[0xff; 40]),
                None,
            ),
            (
                "a record that is too long",
                record(22, 0xffff, &[0; 20_000]),
                None,
            ),
            ("an empty hello", record(22, 4, &[1, 0, 0, 0]), Some(50)),
            (
                "data before the handshake",
                {
                    let mut bytes = hello_of_1_1();
                    bytes.splice(0..0, record(22, 1, &[1]));
                    bytes
                },
                None,
            ),
            ("a length of nothing", record(22, 0, &[]), None),
        ];
        for (what, bytes, alert) in rows {
            let mut connection = stage.raw();
            connection.write(&bytes).expect("it reads");
            connection.finish_writing().expect("it is open");
            let answer = connection.rest().expect("it ends");
            // An alert of version 3.3, or nothing where not even that is owed.
            let (kind, last) = (answer.first(), answer.last());
            assert!(matches!(kind, None | Some(&21)), "{what}: {answer:?}");
            assert!(
                alert.is_none() || last == alert.as_ref(),
                "{what}: {answer:?}"
            );
            stage.server.wait_log("a TLS handshake came to nothing");
            stage.assert_well();
        }
    }
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_handshake_is_not_waited_for() {
    let stage = with(
        probe()
            .shards(2)
            .arg("--header-seconds=1")
            .arg("--log-level=debug"),
    );
    let hello = hello_of_1_1();
    for sent in [0, 1, 5, 20] {
        let mut connection = stage.raw();
        connection.write(&hello[..sent]).expect("it reads");
        assert_eq!(connection.rest().expect("it is closed"), b"", "{sent}");
    }
    stage
        .server
        .wait_log("it took longer than --header-seconds");
    stage.assert_well();
}

#[test]
fn records_that_are_broken_after_the_handshake_end_the_connection() {
    let stage = with(probe().shards(2));
    let bad = [
        ("no record", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a record that nobody encrypted", record(23, 40, &[1; 40])),
        (
            "a record that is too long",
            record(23, 0xffff, &[1; 30_000]),
        ),
    ];
    for (what, bytes) in &bad {
        // Between requests,
        let mut connection = stage.client.connect();
        assert!(connection.still_answers());
        let _ = connection.socket().write_all(bytes);
        assert!(connection.rest().is_err(), "{what}: an alert ends it");
        // and on an open stream.
        let page = Page::open(&stage.client, "/");
        let mut stream = stream_of(&stage, &page);
        let _ = stream.socket().write_all(bytes);
        while stream
            .tls()
            .read(&mut [0; 4096])
            .is_ok_and(|count| count > 0)
        {}
        stage.assert_well();
    }
    // A piece of a record waits for its rest; an end without a goodbye is an end.
    let mut connection = stage.client.connect();
    assert!(connection.still_answers());
    connection
        .socket()
        .write_all(&bad[1].1[..20])
        .expect("it reads");
    connection.finish_writing().expect("it is open");
    assert!(connection.rest().is_err(), "it ends without a goodbye too");
    stage.assert_well();
}

/// What `openssl s_client` says; nothing where there is no openssl.
fn openssl(stage: &Stage, arguments: &[&str], input: &str) -> Option<String> {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &stage.client.host(), "-CAfile"])
        .arg(stage.authority.ca_file())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn another_implementation_speaks_with_it_and_may_not_renegotiate() {
    let stage = with(probe().shards(2));
    let request = "GET /_live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = [version, "-ign_eof", "-verify_return_error"];
        if let Some(said) = openssl(&stage, &arguments, request) {
            assert!(said.contains("{\"status\":\"ok\"}"), "{said}");
            assert!(said.contains("Verify return code: 0"), "{said}");
        }
    }
    if let Some(said) = openssl(&stage, &["-tls1_2"], "R\n") {
        assert!(said.contains("RENEGOTIATING"), "{said}");
        assert!(said.contains("no renegotiation"), "{said}");
    }
    stage.assert_well();
}

#[test]
fn a_ticket_of_one_shard_is_good_on_all() {
    let stage = with(probe().shards(5));
    // Given a client that keeps its tickets, when it comes again and again, on whatever shard,
    let config = stage.authority.client_config();
    let client = Client::new(stage.server.port()).with_tls(config);
    let kind = |connection: &mut Connection| connection.tls().conn.handshake_kind();
    let mut first = client.connect();
    assert!(first.still_answers());
    assert_eq!(kind(&mut first), Some(rustls::HandshakeKind::Full));
    // then every later handshake is a short one.
    for _ in 0..20 {
        let mut again = client.connect();
        assert!(again.still_answers());
        assert_eq!(kind(&mut again), Some(rustls::HandshakeKind::Resumed));
    }
}

fn hang_up(server: &Running) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).expect("a pid")).expect("it runs");
    kill_process(pid, Signal::HUP).expect("it runs");
}

fn copy(from: &Certificate, to: &Certificate) {
    std::fs::copy(&from.chain_file, &to.chain_file).expect("a file");
    std::fs::copy(&from.key_file, &to.key_file).expect("a file");
}

#[test]
fn a_new_certificate_is_for_new_handshakes_and_a_broken_one_for_none() {
    let stage = with(probe().shards(2));
    let page = Page::open(&stage.client, "/");
    let mut stream = page.stream();
    // Given a stream, when the files hold the pair of another authority,
    let other = Authority::new();
    copy(&other.issue(&["127.0.0.1"]), &stage.certificate);
    hang_up(&stage.server);
    stage
        .server
        .wait_log("new handshakes use the new certificate");
    // then who trusts that one is served,
    let newcomer = Client::new(stage.server.port()).with_tls(other.client_config());
    let new_page = Page::open(&newcomer, "/");
    // who trusts the old one alone is not, and the stream goes on.
    let connection = Connection::open(stage.server.port()).expect("it listens");
    assert!(connection.secure(stage.authority.client_config()).is_err());
    let click = json!({ "via_ctx": page.context, "_args": [] }).to_string();
    let origin = newcomer.origin();
    let session = page
        .client
        .cookie("__Host-via_session_id")
        .expect("a session");
    newcomer.set_cookie("__Host-via_session_id", &session);
    let response = newcomer.post("/_action/add", &[("Origin", &origin)], click);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(value(&mut stream, "count"), 1);

    // When the key is another one's, then that is told once, and the last good pair stays.
    let stranger = other.issue(&["127.0.0.1", "localhost"]);
    std::fs::copy(&stranger.key_file, &stage.certificate.key_file).expect("a file");
    for _ in 0..5 {
        hang_up(&stage.server);
    }
    let told = "the new certificate and key can't be used";
    let line = stage.server.wait_log(told);
    assert!(line.contains("another key"), "{line}");
    assert!(newcomer.stranger().connect().still_answers());
    // With its certificate it is a pair again, and no look between told anything twice.
    std::fs::copy(&stranger.chain_file, &stage.certificate.chain_file).expect("a file");
    hang_up(&stage.server);
    common::eventually("the third certificate is in use", || {
        let lines = stage.server.log();
        let used = lines
            .iter()
            .filter(|line| line.contains("the new certificate;"));
        (used.count() == 2).then_some(())
    });
    let lines = stage.server.log();
    assert_eq!(lines.iter().filter(|line| line.contains(told)).count(), 1);
    drop(new_page);
    stage.assert_well_for(&other);
}

impl Stage {
    fn assert_well_for(&self, authority: &Authority) {
        let client = Client::new(self.server.port()).with_tls(authority.client_config());
        assert!(client.connect().still_answers());
    }
}
