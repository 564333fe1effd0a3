use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn parts(words: &[&str]) -> Vec<Value> {
    words.iter().map(|word| text(word)).collect()
}

fn confirmed(channels: Channels) -> Subscription {
    let mut subscription = Subscription::new(channels, "ch");
    let mut said = parts(&[channels.words().subscribed, "ch"]);
    said.push(Value::Number(1));
    assert_eq!(
        subscription.receive(Value::Push(said)),
        Ok(Heard::Confirmed)
    );
    subscription
}

#[test]
fn messages_of_both_versions_and_both_kinds() {
    for channels in [Channels::Plain, Channels::Sharded] {
        let mut subscription = confirmed(channels);
        let message = parts(&[channels.words().message, "ch", "{}"]);
        let heard = Ok(Heard::Message(b"{}".to_vec()));
        assert_eq!(subscription.receive(Value::Push(message.clone())), heard);
        assert_eq!(subscription.receive(Value::List(message)), heard);
        assert_eq!(subscription.receive(Value::TooLong), Ok(Heard::TooLong));
    }
}

#[test]
fn requests() {
    let mut out = Vec::new();
    Subscription::new(Channels::Plain, "ch").request(&mut out);
    Subscription::new(Channels::Sharded, "ch").request(&mut out);
    publish(&mut out, Channels::Plain, "ch", b"1");
    publish(&mut out, Channels::Sharded, "ch", b"2");
    let wanted = "*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\nch\r\n*2\r\n$10\r\nSSUBSCRIBE\r\n$2\r\nch\r\n\
        *3\r\n$7\r\nPUBLISH\r\n$2\r\nch\r\n$1\r\n1\r\n*3\r\n$8\r\nSPUBLISH\r\n$2\r\nch\r\n$1\r\n2\r\n";
    assert_eq!(String::from_utf8(out).as_deref(), Ok(wanted));
}

#[test]
fn what_is_of_another_channel_or_kind_is_left_alone() {
    let mut subscription = confirmed(Channels::Plain);
    for words in [
        ["message", "other", "{}"],
        ["smessage", "ch", "{}"],
        ["unsubscribe", "other", "0"],
        ["subscribe", "other", "2"],
        ["invalidate", "x", "y"],
    ] {
        let heard = subscription.receive(Value::Push(parts(&words)));
        assert_eq!(heard, Ok(Heard::Other), "{words:?}");
    }
    let mut early = Subscription::new(Channels::Plain, "ch");
    let message = Value::Push(parts(&["message", "ch", "{}"]));
    assert_eq!(early.receive(message), Ok(Heard::Other));
}

#[test]
fn a_subscription_that_was_taken_away_is_an_error() {
    for channels in [Channels::Plain, Channels::Sharded] {
        for channel in [text("ch"), Value::Null] {
            let kind = text(channels.words().unsubscribed);
            let said = Value::Push(vec![kind, channel, Value::Number(0)]);
            let heard = confirmed(channels).receive(said);
            assert_eq!(heard, Err(PubSubError::Unsubscribed));
        }
    }
}

#[test]
fn wrong_types_are_errors() {
    let payload = Value::Push(vec![text("message"), text("ch"), Value::Number(1)]);
    for said in [
        payload,
        Value::Push(parts(&["message", "ch"])),
        Value::Push(Vec::new()),
        Value::List(vec![Value::Number(1)]),
        Value::Number(1),
        Value::Null,
        Value::Other,
        text("OK"),
    ] {
        let heard = confirmed(Channels::Plain).receive(said.clone());
        assert_eq!(heard, Err(PubSubError::Unexpected), "{said:?}");
    }
    let early = Subscription::new(Channels::Plain, "ch").receive(Value::TooLong);
    assert_eq!(early, Err(PubSubError::Unexpected));
    let no = Refusal::new("NOPERM no");
    let heard = confirmed(Channels::Plain).receive(Value::Error(no.clone()));
    assert_eq!(heard, Err(PubSubError::Refused(no)));
}

#[test]
fn replies_to_publications() {
    assert_eq!(receivers(Value::Number(2)), Ok(Some(2)));
    assert_eq!(receivers(Value::Push(parts(&["invalidate"]))), Ok(None));
    assert_eq!(receivers(Value::Number(-1)), Err(PubSubError::Unexpected));
    assert_eq!(receivers(text("OK")), Err(PubSubError::Unexpected));
    let no = Refusal::new("MOVED 1 h:1");
    let refused = receivers(Value::Error(no.clone()));
    assert_eq!(refused, Err(PubSubError::Refused(no)));
}
