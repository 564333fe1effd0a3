//! The session cookie: made by the server only, never shown anywhere else, kept over a change of
//! keys, and what tells whose a page is.

mod common;

use autovia_testkit::{Client, Page, Running, Server};
use common::{SHARDS, file, has_value, probe};
use serde_json::json;

const NAME: &str = "via_session_id";

fn is_session_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The session that a browser with this cookie gets.
fn session_with(server: &Running, cookie: &str) -> String {
    let client = server.client();
    client.set_cookie(NAME, cookie);
    client.get("/");
    client.cookie(NAME).expect("a page has a session")
}

#[test]
fn the_cookie_is_32_hex_digits_and_closed_to_scripts_and_strangers() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/");
        let line = page.response.header("set-cookie").expect("a cookie");
        let mut parts = line.split("; ");
        let (name, value) = parts
            .next()
            .and_then(|pair| pair.split_once('='))
            .expect("a pair");
        assert_eq!(name, NAME);
        assert!(is_session_id(value), "{line}");
        let mut rest: Vec<_> = parts.collect();
        rest.sort_unstable();
        assert_eq!(
            rest,
            ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax"]
        );

        // The same browser keeps its session, and each of its pages has a context of its own.
        let again = Page::open(&page.client, "/");
        assert_eq!(again.client.cookie(NAME).as_deref(), Some(value));
        assert_ne!(again.context, page.context);
        // A visit renews it, a step within the site doesn't: browsers keep no page that sets one.
        let referer = format!("{}/x?y", page.client.origin());
        let step = page
            .client
            .request("GET", "/", &[("Referer", &referer)], b"");
        assert_eq!((step.status, step.header("set-cookie")), (200, None));
        let referer = [("Referer", "http://elsewhere.example/")];
        let visit = page.client.request("GET", "/", &referer, b"");
        assert_eq!(visit.header("set-cookie"), Some(line));
        // Only pages set it.
        let action = page.act("add", json!([]), json!({"step": 1}));
        assert_eq!((action.status, action.header("set-cookie")), (200, None));
        assert_eq!(page.stream().response.header("set-cookie"), None);
        // Another browser is somebody else.
        let other = Page::open(&server.client(), "/");
        assert_ne!(other.client.cookie(NAME).as_deref(), Some(value));
    }
}

#[test]
fn an_id_that_the_server_did_not_make_is_replaced() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    let own = page.client.cookie(NAME).expect("a session");
    assert_eq!(session_with(&server, &own), own);
    let mut one_digit_off = own.clone();
    let last = if own.ends_with('0') { "1" } else { "0" };
    one_digit_off.replace_range(31.., last);
    for forged in [
        "mine".to_owned(),
        "0".repeat(32),
        "f".repeat(32),
        own[..31].to_owned(),
        format!("{own}0"),
        format!(" {}", &own[..31]),
        own.to_uppercase()
            .replace(|digit: char| digit.is_ascii_digit(), "A"),
        one_digit_off,
        "ä".repeat(16),
        "\"".to_owned(),
    ] {
        let given = session_with(&server, &forged);
        assert!(is_session_id(&given), "{forged} gave {given}");
        assert_ne!(given, forged);
        assert_ne!(given, own);
    }
}

#[test]
fn a_page_is_its_sessions_own() {
    for shards in SHARDS {
        // Given somebody who knows another's context id,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        let thief = server.client();
        thief.get("/");
        // when they use it, also with no or a forged cookie, then the page is gone for them,
        for client in [
            thief,
            server.client(),
            Client::without_cookies(server.port()),
        ] {
            let stolen = client.get(&page.stream_path());
            assert_eq!(stolen.status, 410, "{stolen:?}");
            let body = json!({"via_ctx": page.context, "step": 7}).to_string();
            let origin = client.origin();
            let headers = [("Origin", origin.as_str())];
            let click = client.post("/_action/add", &headers, &body);
            assert_eq!(click.status, 410, "{click:?}");
            // a closing beacon is answered as any other and does nothing,
            let close = client.post("/_session/close", &headers, &page.context);
            assert_eq!(close.status, 200);
        }
        // and its owner sees nothing of it.
        let event = stream.assert_silent_until(
            || assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200),
            |event| has_value(event, "count"),
        );
        assert_eq!(event.signals()["count"], 1);
    }
}

#[test]
fn the_session_id_is_nowhere_but_in_the_cookie() {
    // Given a talkative server and a page that shares values in its session,
    let server = probe().shards(2).args(["--log-level", "trace"]).start();
    let client = server.client();
    client.get("/");
    let id = client.cookie(NAME).expect("a session");
    let page = Page::open(&client, "/session");
    let mut stream = page.stream();
    // when they change and an action fails,
    assert_eq!(page.act("rename", json!(["ann"]), json!(null)).status, 200);
    let events = stream.collect_until(|event| format!("{event:?}").contains("ann"));
    assert_eq!(page.act("rename", json!([]), json!(null)).status, 422);
    let failed = stream.collect_until(|event| has_value(event, "_via_error"));
    // then no page, no event, no answer and no line of the log has the id, or a half of it.
    assert_eq!(server.terminate().code(), Some(0));
    for half in [&id[..16], &id[16..]] {
        assert!(!page.html().contains(half));
        assert!(!page.context.contains(half));
        assert!(!format!("{events:?}{failed:?}").contains(half));
        let log = server.log();
        assert!(log.len() > 2, "{log:?}");
        assert!(!log.join("\n").contains(half));
    }
}

fn with_keys(keys: &str, name: &str) -> Server {
    probe()
        .shards(2)
        .arg("--session-key-file")
        .arg(file(name, keys))
}

#[test]
fn keys_rotate_without_losing_a_session() {
    let [old, new] = ["1f".repeat(32), "2e".repeat(32)];
    // Given a browser with a session of the old key,
    let first = with_keys(&format!("{old}\n"), "old.keys").start();
    let client = first.client();
    client.get("/");
    let before = client.cookie(NAME).expect("a session");
    drop(first);
    // when the server starts again with the same file, then the session goes on,
    let again = with_keys(&format!("{old}\n"), "same.keys").start();
    assert_eq!(session_with(&again, &before), before);
    drop(again);
    // with a new key on top, then it is the same session, signed anew,
    let both = with_keys(&format!("{new}\n\n{old}\n"), "both.keys").start();
    let moved = session_with(&both, &before);
    assert_eq!(moved[..16], before[..16]);
    assert_ne!(moved[16..], before[16..]);
    assert_eq!(session_with(&both, &moved), moved);
    drop(both);
    // and when the old key goes, then only what nobody renewed is lost.
    let after = with_keys(&format!("{new}\n"), "new.keys").start();
    assert_eq!(session_with(&after, &moved), moved);
    assert_ne!(session_with(&after, &before)[..16], before[..16]);
}

#[test]
fn without_a_file_each_process_has_a_key_of_its_own() {
    let [one, two] = [(); 2].map(|()| probe().shards(1).start());
    let client = one.client();
    client.get("/");
    let session = client.cookie(NAME).expect("a session");
    assert_ne!(session_with(&two, &session), session);
}

#[test]
fn a_secure_cookie_is_for_https_and_this_host() {
    let server = probe().shards(2).arg("--secure-cookie").start();
    let client = server.client();
    let page = client.get("/");
    let line = page.header("set-cookie").expect("a cookie");
    assert!(line.starts_with("__Host-via_session_id="), "{line}");
    for part in ["Secure", "HttpOnly", "Path=/", "SameSite=Lax"] {
        assert!(line.split("; ").any(|other| other == part), "{line}");
    }
    assert!(!line.contains("Domain"), "{line}");
    // The browser's pages are its own by that cookie.
    let page = Page::open(&client, "/");
    assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200);
    let session = client.cookie("__Host-via_session_id").expect("a session");
    // A plain cookie, which another host of the domain could have set, is nobody's.
    let planted = server.client();
    planted.set_cookie(NAME, &session);
    let given = planted.get("/");
    let given = given.header("set-cookie").expect("a cookie");
    assert!(!given.contains(&session), "{given}");
}

#[test]
fn a_step_within_the_site_leaves_the_cookie_alone() {
    // Given a browser with a session,
    let server = probe().start();
    let client = server.client();
    client.get("/");

    // when it follows a link of this site, then the page sets no cookie,
    let host = client.host();
    let within = client.request(
        "GET",
        "/take",
        &[("Referer", &format!("http://{host}/"))],
        b"",
    );
    assert_eq!(within.status, 200);
    assert!(within.header("set-cookie").is_none(), "{within:?}");

    // and when it comes from elsewhere, or by hand, then its cookie is renewed.
    let elsewhere = client.request(
        "GET",
        "/take",
        &[("Referer", "http://elsewhere.test/")],
        b"",
    );
    assert!(elsewhere.header("set-cookie").is_some(), "{elsewhere:?}");
    assert!(client.get("/take").header("set-cookie").is_some());
}
