//! What the chat keeps: messages in SQLite, and who is where and typing in memory.
//!
//! Made once and shared by all shards. Queries block, so they run on a thread that may; the
//! people are under a lock of their own, which no query ever holds.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Result, params};

/// The rooms, each with what it is for.
pub const ROOMS: [(&str, &str); 3] = [
    ("lobby", "Where everybody starts."),
    ("general", "For anything that needs an answer."),
    ("random", "For anything that doesn’t."),
];

/// Messages that a room shows.
pub const SHOWN: u32 = 50;

/// Messages that are kept of a room.
const KEPT: u32 = 1000;

/// How long after the last key somebody counts as typing.
const TYPING: Duration = Duration::from_secs(5);

/// Names in one typing hint: more are no news, and the hint has to fit a shared value.
const TYPISTS: usize = 8;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS message (
        id INTEGER PRIMARY KEY,
        room TEXT NOT NULL,
        session TEXT NOT NULL,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS message_by_room ON message (room, id);
";

/// All rooms.
pub struct Chat {
    database: Mutex<Connection>,
    /// Those of [`ROOMS`] and no others, whatever a path names.
    rooms: Mutex<HashMap<&'static str, Room>>,
}

#[derive(Default)]
struct Room {
    /// By tab.
    people: BTreeMap<u64, Person>,
    typing: Vec<(Person, Instant)>,
}

/// Somebody in a room, however many tabs they have there.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The key of the browser session: a hash, never shown.
    pub session: String,
    /// What the others see.
    pub name: String,
}

/// Something that was said.
pub struct Message {
    /// Grows with each message.
    pub id: i64,
    /// Who said it.
    pub author: Person,
    /// What, as it was typed.
    pub text: String,
    /// Seconds since 1970.
    at: i64,
}

impl Message {
    /// `14:02`, of UTC.
    pub fn time(&self) -> String {
        let minutes = self.at.rem_euclid(86_400) / 60;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// One of [`ROOMS`].
pub fn exists(room: &str) -> bool {
    ROOMS.iter().any(|(name, _)| *name == room)
}

impl Chat {
    /// Opens the file with the messages, or makes it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let database = Connection::open(path)?;
        database.busy_timeout(Duration::from_secs(5))?;
        database.execute_batch(SCHEMA)?;
        Ok(Self {
            database: Mutex::new(database),
            rooms: Mutex::new(ROOMS.map(|(name, _)| (name, Room::default())).into()),
        })
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_room<T: Default>(&self, room: &str, change: impl FnOnce(&mut Room) -> T) -> T {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.get_mut(room).map(change).unwrap_or_default()
    }

    /// Stores a message. Blocks.
    pub fn post(&self, room: &str, author: &Person, text: &str) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(0);
        let mut database = self.database();
        let both = database.transaction()?;
        both.execute(
            "INSERT INTO message (room, session, name, text, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![room, author.session, author.name, text, at],
        )?;
        both.execute(
            "DELETE FROM message WHERE room = ?1 AND id <=
                (SELECT id FROM message WHERE room = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            params![room, KEPT],
        )?;
        both.commit()
    }

    /// The last messages, the oldest first. Blocks.
    pub fn last(&self, room: &str) -> Result<Vec<Message>> {
        let database = self.database();
        let mut query = database.prepare_cached(
            "SELECT id, session, name, text, at FROM message WHERE room = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![room, SHOWN], |row| {
            Ok(Message {
                id: row.get(0)?,
                author: Person {
                    session: row.get(1)?,
                    name: row.get(2)?,
                },
                text: row.get(3)?,
                at: row.get(4)?,
            })
        })?;
        let mut messages: Vec<Message> = rows.collect::<Result<_>>()?;
        messages.reverse();
        Ok(messages)
    }

    /// A tab of somebody shows the room.
    pub fn enter(&self, room: &str, tab: u64, who: Person) {
        self.in_room(room, |room| room.people.insert(tab, who));
    }

    /// A tab no longer does.
    pub fn leave(&self, room: &str, tab: u64) {
        self.in_room(room, |room| {
            if let Some(who) = room.people.remove(&tab)
                && !room.people.values().any(|other| *other == who)
            {
                room.typing.retain(|(other, _)| *other != who);
            }
        });
    }

    /// Who is there, each once.
    pub fn people(&self, room: &str) -> Vec<Person> {
        self.in_room(room, |room| {
            let mut people: Vec<Person> = Vec::new();
            for who in room.people.values() {
                if !people.contains(who) {
                    people.push(who.clone());
                }
            }
            people
        })
    }

    /// Notes that somebody has just typed, or has nothing typed any more.
    pub fn types(&self, room: &str, who: &Person, typing: bool) {
        self.in_room(room, |room| {
            room.typing.retain(|(other, _)| other != who);
            if typing {
                room.typing.push((who.clone(), Instant::now()));
            }
        });
    }

    /// The names of those who are typing.
    pub fn typing(&self, room: &str) -> Vec<String> {
        self.in_room(room, |room| {
            room.typing.retain(|(_, since)| since.elapsed() < TYPING);
            let names = room.typing.iter().map(|(who, _)| who.name.clone());
            let mut names: Vec<String> = names.take(TYPISTS).collect();
            names.sort_unstable();
            names
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person {
            session: format!("session of {name}"),
            name: name.to_owned(),
        }
    }

    #[test]
    fn the_last_messages_of_a_room_come_oldest_first() {
        let chat = Chat::open(":memory:").expect("a database in memory");
        for number in 0..KEPT + 5 {
            chat.post("lobby", &person("a"), &format!("{number}\r\n</script>"))
                .expect("a message");
        }
        chat.post("random", &person("b"), "other room")
            .expect("a message");
        let texts: Vec<_> = chat
            .last("lobby")
            .expect("messages")
            .into_iter()
            .map(|m| m.text)
            .collect();
        assert_eq!(texts.len(), SHOWN as usize);
        assert_eq!(texts[0], format!("{}\r\n</script>", KEPT + 5 - SHOWN));
        assert_eq!(texts[49], format!("{}\r\n</script>", KEPT + 4));
        let kept: u32 = chat
            .database()
            .query_row(
                "SELECT count(*) FROM message WHERE room = 'lobby'",
                [],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(kept, KEPT);
    }

    #[test]
    fn two_tabs_are_one_person_until_both_are_closed() {
        let chat = Chat::open(":memory:").expect("a database in memory");
        chat.enter("lobby", 1, person("a"));
        chat.enter("lobby", 2, person("b"));
        chat.enter("lobby", 3, person("a"));
        chat.types("lobby", &person("a"), true);
        assert_eq!(chat.people("lobby").len(), 2);
        chat.leave("lobby", 1);
        assert_eq!(chat.people("lobby").len(), 2);
        assert_eq!(chat.typing("lobby"), ["a"]);
        chat.leave("lobby", 3);
        assert!(chat.people("lobby") == [person("b")] && chat.typing("lobby").is_empty());
    }

    #[test]
    fn the_time_is_that_of_the_day() {
        let message = Message {
            id: 1,
            author: person("a"),
            text: String::new(),
            at: 20_000 * 86_400 + 14 * 3600 + 2 * 60 + 59,
        };
        assert_eq!(message.time(), "14:02");
    }
}
