//! TLS of the server: pages, clicks and streams by it, its certificate changed while it runs, and
//! clients that break its rules.

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod certificates;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use autovia_testkit::{Authority, Certificate, Client, Connection, Page, Running, Server};
use common::{SHARDS, has_value, overwhelm, probe};
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
    let server = server.tls(&certificate).start();
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
    overwhelm(&page, &mut stream);
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
