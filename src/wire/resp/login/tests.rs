use super::super::Refusal;
use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn refusal(text: &str) -> Value {
    Value::Error(Refusal::new(text))
}

fn words(login: &mut Login) -> Vec<String> {
    let out = String::from_utf8(login.output()).expect("commands of text");
    let is_header = |line: &&str| !line.starts_with(['*', '$']);
    out.split("\r\n")
        .filter(|line| !line.is_empty())
        .filter(is_header)
        .map(str::to_owned)
        .collect()
}

fn hello(role: &str, mode: &str) -> Value {
    let pairs = ["server", "redis", "role", role, "mode", mode];
    Value::List(pairs.into_iter().map(text).collect())
}

#[test]
fn one_command_where_the_server_knows_it() {
    let mut login = Login::new("autovia-1", Some("node"), Some("geheim"));
    assert_eq!(
        words(&mut login),
        [
            "HELLO",
            "3",
            "AUTH",
            "node",
            "geheim",
            "SETNAME",
            "autovia-1"
        ]
    );
    let peer = login
        .receive(&hello("master", "standalone"))
        .unwrap()
        .unwrap();
    let expected = Peer {
        protocol: Protocol::Three,
        is_replica: false,
        is_clustered: false,
    };
    assert_eq!(peer, expected);
    assert!(login.output().is_empty());

    let mut login = Login::new("autovia-1", None, Some("geheim"));
    assert_eq!(words(&mut login)[2..5], ["AUTH", "default", "geheim"]);
    let peer = login
        .receive(&hello("replica", "cluster"))
        .unwrap()
        .unwrap();
    assert!(peer.is_replica && peer.is_clustered);
}

#[test]
fn old_words_for_old_servers() {
    for no in [
        "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`",
        "ERR unknown command 'HELLO'",
        "NOPROTO unsupported protocol version",
        "NOPERM this user has no permissions to run the 'hello' command",
        "NOAUTH Authentication required.",
    ] {
        let mut login = Login::new("autovia-1", None, Some("geheim"));
        let _ = login.output();
        assert_eq!(login.receive(&refusal(no)), Ok(None), "{no}");
        assert_eq!(login.protocol(), Protocol::Two);
        assert_eq!(
            words(&mut login),
            ["AUTH", "geheim", "CLIENT", "SETNAME", "autovia-1"]
        );
        assert_eq!(login.receive(&text("OK")), Ok(None));
        let peer = login.receive(&text("OK")).unwrap().unwrap();
        assert_eq!(peer.protocol, Protocol::Two);
    }
    let mut login = Login::new("autovia-1", Some("node"), Some("geheim"));
    let _ = login.output();
    login.receive(&refusal("ERR unknown command")).unwrap();
    assert_eq!(words(&mut login)[..3], ["AUTH", "node", "geheim"]);
    let mut login = Login::new("autovia-1", Some("node"), None);
    let _ = login.output();
    login.receive(&refusal("ERR unknown command")).unwrap();
    assert_eq!(words(&mut login), ["CLIENT", "SETNAME", "autovia-1"]);
}

#[test]
fn a_name_that_is_refused_is_passed_over() {
    for no in ["NOPERM no", "ERR unknown subcommand"] {
        let mut login = Login::new("autovia-1", None, None);
        login.receive(&refusal("ERR unknown command")).unwrap();
        assert!(login.receive(&refusal(no)).unwrap().is_some(), "{no}");
    }
}

#[test]
fn refusals_tell_the_code_word_and_nothing_else() {
    let first = |reply: &Value| Login::new("autovia-1", None, Some("geheim")).receive(reply);
    for code in ["WRONGPASS", "DENIED"] {
        let refused = LoginError::Refused(code.to_owned());
        assert_eq!(first(&refusal(&format!("{code} geheim"))), Err(refused));
    }
    assert_eq!(first(&refusal("LOADING x")), Err(LoginError::NotReady));
    let unexpected = LoginError::Unexpected(RespError::Content);
    assert_eq!(first(&Value::Number(1)), Err(unexpected.clone()));
    assert_eq!(first(&text("OK")), Err(unexpected.clone()));
    assert_eq!(first(&Value::TooLong), Err(unexpected));

    let closed = refusal("NOAUTH Authentication required.");
    assert_eq!(
        Login::new("autovia-1", None, None).receive(&closed),
        Err(LoginError::Refused("NOAUTH".to_owned()))
    );

    let then = |reply: &Value, password| {
        let mut login = Login::new("autovia-1", None, password);
        login.receive(&refusal("ERR unknown command")).unwrap();
        login.receive(reply)
    };
    let wrong = refusal("ERR invalid password");
    assert_eq!(
        then(&wrong, Some("geheim")),
        Err(LoginError::Refused("ERR".to_owned()))
    );
    assert_eq!(
        then(&closed, None),
        Err(LoginError::Refused("NOAUTH".to_owned()))
    );
}
