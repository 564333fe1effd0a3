//! Marks: `~P.17.3~` is the third value of page 17, `~S.…~` a session's, `~R.…~` a room's.
//!
//! Every value that the model test sets carries one, so a look at the bytes tells whose they are.

/// Whom a page may hear of.
#[derive(Clone, Debug)]
pub struct Owner {
    pub page: u64,
    pub session: u64,
    pub rooms: [u64; 2],
}

pub fn of_page(page: u64, value: u64) -> String {
    format!("~P.{page}.{value}~")
}

pub fn of_session(session: u64, value: u64) -> String {
    format!("~S.{session}.{value}~")
}

pub fn of_room(room: u64, value: u64) -> String {
    format!("~R.{room}.{value}~")
}

/// The first mark in `text` that `owner` must not see, and how many there are.
pub fn check(text: &str, owner: &Owner) -> Result<usize, String> {
    let mut marks = 0;
    for part in text.split('~') {
        let Some((kind, number)) = read(part) else {
            continue;
        };
        marks += 1;
        let is_own = match kind {
            'P' => number == owner.page,
            'S' => number == owner.session,
            _ => owner.rooms.contains(&number),
        };
        if !is_own {
            return Err(format!("~{part}~ reached {owner:?} in: {text}"));
        }
    }
    Ok(marks)
}

fn read(part: &str) -> Option<(char, u64)> {
    let (kind, rest) = part.split_once('.')?;
    let (owner, value) = rest.split_once('.')?;
    let kind = match kind {
        "P" => 'P',
        "S" => 'S',
        "R" => 'R',
        _ => return None,
    };
    value.parse::<u64>().ok()?;
    Some((kind, owner.parse().ok()?))
}

#[test]
fn a_strangers_mark_is_seen() {
    let owner = Owner {
        page: 1,
        session: 2,
        rooms: [3, 4],
    };
    assert_eq!(check("<p>~P.1.9~</p>~S.2.1~~R.4.1~", &owner), Ok(3));
    assert_eq!(check("1~2~P.x.1~", &owner), Ok(0));
    for strange in ["a~P.2.9~", "~P.1.1~~S.1.1~", "~R.1.1~"] {
        assert!(check(strange, &owner).is_err(), "{strange}");
    }
}
