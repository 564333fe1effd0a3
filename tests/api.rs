//! What an app's author uses, seen from the browser's side: arguments, parameters, inputs that are
//! taken, scripts, templates, components, periods.

mod common;
mod pages;

use autovia_testkit::{Event, Page, Stream, attribute_values};
use common::{SHARDS, failure, has_value, noted, probe, value, wait_noted};
use pages::{click, probe_with, sets, shows, small, until_value};
use serde_json::{Value, json};

#[test]
fn arguments_go_from_the_view_to_the_action() {
    let server = probe_with(2);
    let page = Page::open(&server.client(), "/arguments");
    // Given calls in a view, then they are expressions that call the shell's verb.
    let calls = attribute_values(page.html(), "data-on:click");
    assert_eq!(calls[0], "@act('take', 7, 'a b')");
    // No text of an argument leaves its quotes, or is taken for a value or verb of Datastar.
    let hostile = calls[1]
        .strip_prefix("@act('take', 8, '")
        .and_then(|rest| rest.strip_suffix("')"))
        .unwrap_or_else(|| panic!("{}", calls[1]));
    assert!(
        !hostile.contains(['\'', '"', '$', '@', '<', '>']),
        "{hostile}"
    );
    // When the browser calls, then the action has them, by place and type.
    let mut stream = page.stream();
    let text = "'); $got \"</p> @post('/x') é";
    click(&page, "take", json!([8, text]));
    assert_eq!(value(&mut stream, "got"), format!("8 {text}"));
    // What is missing or of another type is told, with its place.
    for (arguments, place) in [
        (json!([]), "argument 1"),
        (json!([8]), "argument 2"),
        (json!(["eight", "x"]), "argument 1"),
        (json!([300, "x"]), "argument 1"),
        (json!([8, 9]), "argument 2"),
    ] {
        let response = page.act("take", arguments.clone(), Value::Null);
        assert_eq!(response.status, 422, "{arguments}");
        let failure = failure(&mut stream);
        let text = failure["text"].as_str().unwrap();
        assert!(text.contains(place), "{arguments}: {text}");
    }
}

#[test]
fn parameters_are_decoded_and_shown_as_text() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let client = server.client();
        let open = |path: &str| Page::open(&client, path);
        let page = open("/params/2026/%3Cb%3E%20caf%C3%A9%26amp;?query=1");
        assert_eq!(page.text("year"), "2026");
        assert_eq!(page.text("slug"), "<b> café&amp;");
        assert!(!page.html().contains("<b> café"), "{}", page.html());
        // The path is what was asked for, without the query.
        assert_eq!(page.text("path"), "/params/2026/%3Cb%3E%20caf%C3%A9%26amp;");
        // A slash that is encoded stays inside its segment.
        assert_eq!(open("/params/1/a%2Fb").text("slug"), "a/b");
        assert_eq!(
            open("/params/1/%7B%7B%20x%20%7D%7D").text("slug"),
            "{{ x }}"
        );
    }
}

#[test]
fn an_input_that_is_taken_is_cleared_where_nothing_was_typed_since() {
    let server = probe_with(2);
    let page = Page::open(&server.client(), "/take");
    let mut stream = page.stream();
    // When an action takes an input, then the shell is told what it was and what it becomes.
    let response = page.act("send", Value::Null, json!({ "draft": "hello" }));
    assert_eq!(response.status, 200);
    let event = stream.until(|event| has_value(event, "_via_take"));
    let values = event.signals();
    assert_eq!(
        values["_via_take"],
        json!({ "draft": { "was": "hello", "now": "" } })
    );
    // The value itself is not sent: it would overwrite what is typed by now.
    assert!(values.get("draft").is_none(), "{values}");
    assert_eq!(values["sent"], "hello");
    // On the server it is taken: the next action without inputs finds it empty.
    click(&page, "send", json!([]));
    assert_eq!(value(&mut stream, "sent"), "");
    // An input that the server sets is sent as it is.
    click(&page, "fill", json!([]));
    stream.until(|event| sets(event, "draft", "filled"));
}

#[test]
fn redirects_and_scripts_run_in_the_browser_of_who_clicked() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let (page, other) = (
            Page::open(&server.client(), "/"),
            Page::open(&server.client(), "/"),
        );
        let (mut stream, mut silent) = (page.stream(), other.stream());
        // A script is appended to the body, whole, though it holds an end tag.
        click(&page, "script", json!([]));
        let event = stream.next_event();
        assert_eq!(event.argument("mode").as_deref(), Some("append"));
        assert_eq!(event.argument("selector").as_deref(), Some("body"));
        let html = event.elements();
        assert!(
            html.contains("window.ran = 1;") && html.contains("window.ran += 1"),
            "{html}"
        );
        assert_eq!(html.matches("</script>").count(), 1, "{html}");
        assert!(html.ends_with("</script>"), "{html}");
        // A redirect is a script too.
        click(&page, "go", json!([]));
        let event = stream.next_event();
        assert!(
            shows(&event, "window.location.assign(\"/take\")"),
            "{event:?}"
        );
        // A place that is none is an error of the action, which is told.
        let response = page.act("wrong-redirect", Value::Null, Value::Null);
        assert_eq!(response.status, 500);
        let failure = failure(&mut stream);
        assert!(
            failure["text"].as_str().unwrap().contains("javascript:"),
            "{failure}"
        );
        // Nobody else ran any of it.
        silent.assert_silent_until(
            || click(&other, "add", json!([])),
            |event| sets(event, "count", 1),
        );
    }
}

#[test]
fn blocking_work_runs_on_a_thread_of_its_own() {
    let server = probe_with(1);
    let page = Page::open(&server.client(), "/");
    let mut stream = page.stream();
    // The action counts one if its work ran on a thread for blocking work.
    click(&page, "blocking", json!([]));
    stream.until(|event| sets(event, "count", 1));
}

#[test]
fn a_template_is_sent_whole_once_and_by_its_block_afterwards() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page by a template, then its first HTML is all of it, escaped,
        let page = Page::open(&server.client(), "/template");
        assert!(page.html().contains("<p>whole page</p>"));
        assert!(
            page.html().contains("hello &lt;b&gt;you&lt;&#x2f;b&gt;"),
            "{}",
            page.html()
        );
        // with bindings and calls like those of any view.
        assert_eq!(attribute_values(page.html(), "data-bind"), ["draft"]);
        let calls = attribute_values(page.html(), "data-on:click");
        assert_eq!(calls, [r"@act('rename', 'it\u0027s \u003cb\u003e')"]);
        // When a value that the block shows changes,
        let mut stream = page.stream();
        let inputs = json!({ "draft": "<i>me</i>" });
        assert_eq!(page.act("rename", Value::Null, inputs).status, 200);
        // then only the block is sent.
        let html = stream.until(Event::is_elements).elements();
        assert!(
            html.starts_with("<p id=\"greeting\">hello &lt;i&gt;me"),
            "{html}"
        );
        assert!(
            !html.contains("whole page") && !html.contains("<main"),
            "{html}"
        );
        // A value that is only bound, or only shown by text(), brings no elements.
        let inputs = json!({ "draft": "typed" });
        assert_eq!(page.act("rename", Value::Null, inputs).status, 200);
        let html = stream.until(Event::is_elements).elements();
        assert!(html.contains("hello typed"), "{html}");
    }
}

#[test]
fn a_components_names_have_its_prefix_and_its_patch_hits_its_own_wrapper() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page with the same component twice, then each has its own names.
        let page = Page::open(&server.client(), "/components");
        assert_eq!(page.signals["cats_votes"], 0);
        assert_eq!(page.signals["dogs_votes"], 0);
        let calls = attribute_values(page.html(), "data-on:click");
        assert_eq!(calls, ["@act('cats-up')", "@act('dogs-up')"]);
        let mut stream = page.stream();
        for votes in 1..=3 {
            // When one of them is voted for, then its wrapper is patched and nothing else.
            click(&page, "cats-up", json!([]));
            let events = until_value(&mut stream, "cats_votes", votes);
            let html: Vec<String> = events
                .iter()
                .filter(|event| event.is_elements())
                .map(Event::elements)
                .collect();
            assert_eq!(html.len(), 1, "{events:?}");
            assert!(html[0].starts_with("<div id=\"c-cats\">"), "{html:?}");
            assert!(html[0].contains(&format!("votes: {votes}")), "{html:?}");
            assert!(!html[0].contains("c-dogs"), "{html:?}");
        }
        click(&page, "dogs-up", json!([]));
        let html = stream.until(Event::is_elements).elements();
        assert!(html.starts_with("<div id=\"c-dogs\">"), "{html}");
        // When the page around them changes, then it is sent with both as they are now.
        let inputs = json!({ "draft": "animals" });
        assert_eq!(page.act("rename", Value::Null, inputs).status, 200);
        let html = stream.until(|event| shows(event, "animals")).elements();
        assert!(
            html.contains("votes: 3") && html.contains("votes: 1"),
            "{html}"
        );
        assert!(!html.contains('\u{1}'), "{html:?}");
    }
}

#[test]
fn a_components_action_has_no_other_name() {
    let server = probe_with(1);
    let page = Page::open(&server.client(), "/components");
    let mut stream = page.stream();
    // An action of a component is not that of the page: there is none without the prefix.
    assert_eq!(page.act("up", Value::Null, Value::Null).status, 404);
    // A page that votes twice in one action's time sees the newest.
    click(&page, "cats-up", json!([]));
    click(&page, "cats-up", json!([]));
    stream.until(|event| sets(event, "cats_votes", 2));
}

#[test]
fn a_pages_period_runs_for_pages_that_are_present_only() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page that has no stream yet, and one that is present on the same shard.
        let waiting = Page::open_on(&server.client(), "/ticking", 0);
        let present = Page::open_on(&server.client(), "/ticking", 0);
        let mut stream = present.stream();
        // When the present one has ticked ten times,
        until_ticks(&mut stream, 10);
        // then the other one has not: its stream begins with its first tick.
        let first = waiting.stream().next_event();
        assert!(first.is_signals(), "nothing was missed: {first:?}");
        assert!(first.signals()["ticks"].as_u64().unwrap() <= 2, "{first:?}");
    }
}

fn until_ticks(stream: &mut Stream, ticks: u64) -> u64 {
    let event = stream.until(|event| {
        has_value(event, "ticks") && event.signals()["ticks"].as_u64().unwrap() >= ticks
    });
    event.signals()["ticks"].as_u64().unwrap()
}

#[test]
fn the_apps_period_runs_once_per_process() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page that ticks twice as often as the app, on the shard that has the app's clock.
        let page = Page::open_on(&server.client(), "/ticking", 0);
        let mut stream = page.stream();
        let before = until_ticks(&mut stream, 1);
        let app_before = noted(&server, "app tick on 0");
        // When two seconds of both clocks have passed,
        let after = until_ticks(&mut stream, before + 40);
        let app = noted(&server, "app tick on 0") - app_before;
        // then the app ticked half as often as the page, and on no other shard.
        let half = (after - before) / 2;
        assert!(
            app.abs_diff(half) <= half / 2,
            "{app} ticks, {half} were due"
        );
        for shard in 1..shards {
            assert_eq!(noted(&server, &format!("app tick on {shard}")), 0);
        }
    }
}

#[test]
fn hooks_that_fail_are_logged_and_stop_nothing() {
    for shards in SHARDS {
        let server = probe().shards(shards).args(["--away-seconds", "1"]).start();
        // Given a page whose hooks panic and fail.
        let page = Page::open(&server.client(), "/hooks-fail");
        let mut stream = page.stream();
        let line = server.wait_log("ERROR");
        assert!(
            line.contains("a connect hook panics") && line.contains("/hooks-fail"),
            "{line}"
        );
        // Then its stream and its actions work,
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 1));
        drop(stream);
        let line = server.wait_log("a disconnect hook fails");
        assert!(line.contains("/hooks-fail"), "{line}");
        // and it can come back.
        let mut stream = page.reopen(None);
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 2));
    }
}

#[test]
fn hooks_run_once_when_a_page_comes() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given pages on every shard that count who is present.
        let pages = Page::one_per_shard(server.port(), "/hooks", small(shards));
        assert_eq!(noted(&server, "connect"), 0, "no stream, no visit");
        let mut streams: Vec<Stream> = pages.iter().map(Page::stream).collect();
        wait_noted(&server, "connect", shards as u64);
        // Then all of them show all.
        for stream in &mut streams {
            stream.until(|event| sets(event, "present", shards as u64));
        }
        assert_eq!(noted(&server, "connect"), shards as u64);
        let fresh = Page::open(&server.client(), "/hooks");
        assert_eq!(fresh.signals["present"], shards as u64);
    }
}

#[test]
fn a_component_around_the_view_is_patched_and_one_that_is_nowhere_is_not() {
    // Given a page with a component in its layout and one that its view leaves out,
    let server = probe().start();
    let page = Page::open(&server.client(), "/around");
    assert!(
        page.html()
            .contains(r#"<footer><div id="c-placed"><b>0</b></div></footer>"#)
    );
    assert!(!page.html().contains("c-hidden"));

    // when the value that both show changes,
    let mut stream = page.stream();
    page.act("add", json!([]), json!({}));
    let events = stream.collect_until(|event| event.is_signals());

    // then the one that is there is patched, and nothing else.
    let patched: Vec<_> = events.iter().filter(|event| event.is_elements()).collect();
    assert_eq!(patched.len(), 1, "{events:?}");
    assert_eq!(
        patched[0].elements(),
        r#"<div id="c-placed"><b>1</b></div>"#
    );
}
