//! The operations, and what each may answer.

use serde_json::{Value, json};

use crate::driver::{Driver, ROOMS};

/// One operation and its name in the report.
type Operation = (&'static str, fn(&mut Driver<'_>));

/// Each as often as its weight says.
const ALL: [(usize, Operation); 23] = [
    (26, ("click", click)),
    (8, ("click, overtaken", overtaken)),
    (6, ("click, sent again", again)),
    (4, ("click, sent twice at once", twice)),
    (4, ("click, cut off and sent again", cut_off)),
    (3, ("three clicks at once", burst)),
    (2, ("click without a key", without_key)),
    (1, ("click with a stale key", stale)),
    (1, ("click with a bad key", bad_key)),
    (1, ("click of a wrong type", wrong_type)),
    (1, ("unknown action", unknown)),
    (8, ("own value", mark)),
    (6, ("input", write)),
    (5, ("session's value", badge)),
    (6, ("room's value", add)),
    (1, ("value for all", add_all)),
    (8, ("broadcast", post)),
    (2, ("failure", fail)),
    (2, ("script", script)),
    (4, ("page opened", open)),
    (3, ("page left", leave)),
    (12, ("stream opened or closed", stream)),
    (4, ("another's page", trespass)),
];

/// One random operation.
pub fn one(driver: &mut Driver<'_>) {
    if driver.tabs.len() <= 2 {
        open(driver);
    }
    let (name, run) = driver.chance.weighed(&ALL);
    run(driver);
    *driver.tally.done.entry(name).or_default() += 1;
    driver.read_some();
}

fn click_arguments(driver: &mut Driver<'_>, tab: usize) -> (&'static str, Value) {
    let tab = &mut driver.tabs[tab];
    tab.made += 1;
    let arguments = json!([tab.owner.page, tab.made]);
    let later = driver.chance.one_in(3);
    (if later { "click-later" } else { "click" }, arguments)
}

fn click(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let (action, arguments) = click_arguments(driver, tab);
    if driver.act_well(tab, action, &arguments, "") {
        driver.tabs[tab].count += 1;
    }
}

/// A key is left out, and used when later ones have ended.
fn overtaken(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let Some(key) = driver.tabs[tab].overtaken() else {
        driver.tabs[tab].leave_out();
        return click(driver);
    };
    let (action, arguments) = click_arguments(driver, tab);
    if let Some(status) = driver.act_with(tab, action, &arguments, "", key) {
        assert_eq!(status, 200, "a click that was overtaken");
        driver.tabs[tab].count += 1;
    }
}

/// A click that has ended gets the same status, and has no second effect.
fn again(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let at = driver.chance.number();
    let Some((key, ended)) = driver.tabs[tab].ended(at) else {
        return;
    };
    let (action, arguments) = click_arguments(driver, tab);
    if let Some(status) = driver.act_with(tab, action, &arguments, "", key) {
        assert_eq!(status, ended, "a click that was sent again");
    }
}

/// Sent on two connections at once: one runs, both are answered.
fn twice(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let key = driver.tabs[tab].key();
    let (action, arguments) = click_arguments(driver, tab);
    let bytes = driver.click_bytes(tab, action, &arguments, "", Some(&key.to_string()));
    driver.send(0, &bytes);
    driver.send(1, &bytes);
    let statuses = [driver.answer(0).status, driver.answer(1).status];
    settle(driver, tab, &[(key, statuses[0]), (key, statuses[1])], 1);
}

/// The connection breaks before the answer; whether it ran is seen when it is sent again.
fn cut_off(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let key = driver.tabs[tab].key();
    let (action, arguments) = click_arguments(driver, tab);
    let bytes = driver.click_bytes(tab, action, &arguments, "", Some(&key.to_string()));
    driver.abort(&bytes);
    driver.send(2, &bytes);
    let status = driver.answer(2).status;
    settle(driver, tab, &[(key, status)], 1);
}

/// Three clicks on their way at once, on three connections.
fn burst(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mut keys = Vec::new();
    for lane in 0..3 {
        let key = driver.tabs[tab].key();
        let (action, arguments) = click_arguments(driver, tab);
        let bytes = driver.click_bytes(tab, action, &arguments, "", Some(&key.to_string()));
        driver.send(lane, &bytes);
        keys.push(key);
    }
    let statuses: Vec<(u64, u16)> = (0..)
        .zip(keys)
        .map(|(lane, key)| (key, driver.answer(lane).status))
        .collect();
    settle(driver, tab, &statuses, 3);
}

/// So many clicks ran if all answers are 200; a page that went meanwhile leaves it open.
fn settle(driver: &mut Driver<'_>, tab: usize, answers: &[(u64, u16)], clicks: u64) {
    if answers.iter().any(|(_, status)| *status == 410) {
        driver.tabs[tab].unsure += clicks;
        return driver.lost(tab);
    }
    for (key, status) in answers {
        assert_eq!(*status, 200, "key {key} of {:?}", driver.tabs[tab].owner);
        driver.tabs[tab].end(*key, *status);
    }
    driver.tabs[tab].count += clicks;
}

/// Without a key each one runs.
fn without_key(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    for _ in 0..2 {
        let (action, arguments) = click_arguments(driver, tab);
        match plain(driver, tab, action, &arguments, None) {
            200 => driver.tabs[tab].count += 1,
            410 => return driver.lost(tab),
            status => panic!("a click without a key: {status}"),
        }
    }
}

fn stale(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    if let Some(key) = driver.tabs[tab].stale_key() {
        refused(driver, tab, "click", Some(&key.to_string()), 409);
    }
}

fn bad_key(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let key = driver
        .chance
        .of(&["-1", "one", "1.5", "18446744073709551616"]);
    refused(driver, tab, "click", Some(key), 400);
}

fn unknown(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    refused(driver, tab, "no-such-action", None, 404);
}

fn refused(driver: &mut Driver<'_>, tab: usize, action: &str, key: Option<&str>, wanted: u16) {
    let (_, arguments) = click_arguments(driver, tab);
    match plain(driver, tab, action, &arguments, key) {
        410 => driver.lost(tab),
        status => assert_eq!(status, wanted, "{action} with {key:?}"),
    }
}

fn plain(
    driver: &mut Driver<'_>,
    tab: usize,
    action: &str,
    arguments: &Value,
    key: Option<&str>,
) -> u16 {
    let bytes = driver.click_bytes(tab, action, arguments, "", key);
    driver.send(0, &bytes);
    driver.answer(0).status
}

fn wrong_type(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mark = driver.tabs[tab].mark();
    if let Some(status) = driver.act(tab, "click", &json!([mark, 1]), "") {
        assert_eq!(status, 422, "a click of a wrong type");
    }
}

fn mark(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mark = driver.tabs[tab].mark();
    if driver.act_well(tab, "mark", &json!([mark]), "") {
        driver.tabs[tab].mine = mark;
    }
}

fn write(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mark = driver.tabs[tab].mark();
    if driver.act_well(tab, "write", &json!([]), &mark) {
        driver.tabs[tab].echo = mark;
    }
}

fn badge(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mark = driver.new_badge(tab);
    if driver.act_well(tab, "badge", &json!([mark]), "") {
        driver.session(tab).badge = mark;
    }
}

fn add(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let room = driver.tabs[tab].owner.rooms[0];
    if driver.act_well(tab, "add", &json!([]), "") {
        *driver.tally.totals.entry(room).or_default() += 1;
    }
}

fn add_all(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    if driver.act_well(tab, "add-all", &json!([]), "") {
        driver.tally.all += 1;
    }
}

fn post(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let room = driver.tabs[tab].owner.rooms[0];
    let kinds = ["room", "other", "route", "session", "all rooms", "global"];
    let reach = driver.chance.of(&kinds);
    if driver.act_well(tab, "post", &json!([reach]), "") {
        *driver.tally.posts.entry(room).or_default() += 1;
    }
}

fn fail(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mark = driver.tabs[tab].mark();
    if let Some(status) = driver.act(tab, "fail", &json!([mark]), "") {
        assert_eq!(status, 500, "an action that fails");
    }
}

fn script(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let mark = driver.tabs[tab].mark();
    driver.act_well(tab, "script", &json!([mark]), "");
}

fn open(driver: &mut Driver<'_>) {
    if driver.is_full() {
        return leave(driver);
    }
    let rooms = usize::try_from(ROOMS).expect("rooms are few");
    let [room, other] = [driver.chance.below(rooms), driver.chance.below(rooms)];
    driver.open(room as u64, other as u64);
    if driver.chance.one_in(4) {
        return;
    }
    let tab = driver.tabs.len() - 1;
    driver.open_stream(tab, None);
}

fn leave(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    if driver.is_anchor(tab) {
        return;
    }
    let context = driver.tabs[tab].context.clone();
    driver.beacon(tab, &context);
    // Or the user stays after all.
    if !driver.chance.one_in(4) {
        driver.forget(tab);
    }
}

fn stream(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let open = driver.tabs[tab].streams.len();
    let close = match open {
        0 => false,
        1 => !driver.is_anchor(tab) && !driver.chance.one_in(4),
        _ => !driver.chance.one_in(8) || open > 3,
    };
    if close {
        let index = driver.chance.below(open);
        let orderly = driver.chance.one_in(8);
        driver.tally.events += driver.tabs[tab].streams[index].events;
        driver.tabs[tab].close_stream(index, orderly);
        // A lost network comes back at once; a hidden tab later.
        if !driver.chance.one_in(3) {
            return;
        }
    }
    let last_id = driver.tabs[tab].last_id.clone();
    let known = last_id.filter(|_| driver.tabs[tab].streams.is_empty());
    // Without an id it is a tab that was opened twice, or whose browser forgot.
    let known = known.filter(|_| !driver.chance.one_in(4));
    driver.open_stream(tab, known.as_deref());
}

fn trespass(driver: &mut Driver<'_>) {
    let tab = driver.any_tab();
    let Some(context) = driver.stranger(tab) else {
        return;
    };
    if driver.chance.one_in(4) {
        driver.beacon(tab, &context);
    } else {
        driver.trespass(tab, &context);
    }
}
