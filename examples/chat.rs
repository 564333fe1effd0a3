//! Chat with rooms: a room is a scope, so a message wakes that room's pages on every shard, and
//! no others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autovia::prelude::*;
use autovia::{Component, Error, Result};
use maud::{Markup, html};

#[path = "chat/rooms.rs"]
mod rooms;

pub use rooms::Chat;
use rooms::{Message, Person, ROOMS, exists};

/// The longest message, in characters.
const LONGEST: usize = 2000;

#[allow(dead_code)] // The showcase mounts the page functions alone.
fn main() {
    let path = std::env::var_os("CHAT_DB").map_or_else(default_path, PathBuf::from);
    let chat = open(&path).unwrap_or_else(|error| {
        eprintln!("chat: {error}");
        std::process::exit(1)
    });
    autovia::run(move |app| {
        setup(app, &chat);
        app.page("/examples/chat-room", lobby);
        app.page("/examples/chat-room/room/{room}", room);
    });
}

/// `chat.db` among the system's temporary files.
pub fn default_path() -> PathBuf {
    std::env::temp_dir().join("chat.db")
}

/// The one chat of this process, with the messages of the file at `path`.
///
/// # Errors
/// When the file can't be opened or made, or is no database.
pub fn open(path: &Path) -> Result<Arc<Chat>> {
    let chat = Chat::open(path).map_err(|error| {
        let path = path.display();
        Error::new(format!(
            "the messages in {path} can't be opened ({error}): remove the file, or name another"
        ))
    })?;
    Ok(Arc::new(chat))
}

/// Gives the app its chat.
pub fn setup(app: &mut App, chat: &Arc<Chat>) {
    app.data(Arc::clone(chat));
}

/// The list of rooms.
pub fn lobby(page: &mut Page) {
    page.join(|_| scope!("chat"));
    let name = page.shared(Scope::SESSION, "username", guest_name);
    page.title(|_| "Chat".to_owned());
    page.view(move |view| {
        html! {
            section #chat-lobby {
                p.lead { "Pick a room. Your name in this browser is " b #username { (name.text(view)) } "." }
                div.cards #rooms {
                    @for (room, about) in ROOMS {
                        @let here = view.data::<Arc<Chat>>().people(room).len();
                        a.card id={"room-" (room)} href={"/examples/chat-room/room/" (room)} {
                            h2 { "#" (room) }
                            p.soft { (about) }
                            p class=(if here > 0 { "here" } else { "soft" }) { span { b.num.flash { (here) } " here now" } }
                        }
                    }
                }
            }
        }
    });
}

/// One room.
pub fn room(page: &mut Page) {
    page.join(|_| scope!("chat"));
    let room = page.join(|ctx| scope!("chat:{}", ctx.param("room")));
    let name = page.shared(Scope::SESSION, "username", guest_name);
    let typing = page.shared(room, "typingIndicator", Vec::<String>::new);
    let draft = page.input("messageInput", String::new());
    let me = move |ctx: &Ctx| Person {
        session: ctx.session(),
        name: name.get(ctx),
    };

    let send = page.action("sendMessage", async move |ctx| {
        let text = draft.get(ctx).trim().to_owned();
        let (here, me) = (this_room(ctx)?, me(ctx));
        let length = text.chars().count();
        if length > LONGEST {
            return Err(Error::new(format!(
                "A message has at most {LONGEST} characters; this one has {length}."
            )));
        }
        if text.is_empty() {
            return Ok(());
        }
        chat(ctx).types(&here, &me, false);
        typing.set(ctx, chat(ctx).typing(&here)).await?;
        let chat = Arc::clone(chat(ctx));
        ctx.blocking(move || chat.post(&here, &me, &text)).await??;
        let _sent = draft.take(ctx); // only now: a message that failed stays in its field
        ctx.broadcast(room) // every page of this room loads its messages again
    });
    let update_typing = page.action("updateTyping", async move |ctx| {
        let here = this_room(ctx)?;
        chat(ctx).types(&here, &me(ctx), !draft.get(ctx).trim().is_empty());
        Ok(typing.set(ctx, chat(ctx).typing(&here)).await?)
    });
    page.every(secs(1), async move |ctx| {
        let here = ctx.param("room");
        Ok(typing.set(ctx, chat(ctx).typing(&here)).await?) // fades 5 s after the last key
    });

    page.on_connect(async move |ctx| {
        chat(ctx).enter(&ctx.param("room"), ctx.tab(), me(ctx));
        ctx.broadcast(scope!("chat"))
    });
    page.on_disconnect(async |ctx| {
        chat(ctx).leave(&ctx.param("room"), ctx.tab());
        ctx.broadcast(scope!("chat"))
    });

    let counts = page.component("rooms", counts);
    let people = page.component("people", people);
    let messages = messages(page, room);
    page.title(|view| format!("#{} · Chat", view.param("room")));
    page.view(move |view| {
        let room = view.param("room");
        html! {
            section.live.chat #chat-room {
                div.row { h2 { "#" (room) } (counts.html(view)) }
                (people.html(view))
                (messages.html(view))
                @if exists(&room) {
                    p.typing #typing aria-live="polite" data-text=(TYPING) {}
                    form.composer data-on:submit=(send) {
                        input #message-input data-bind=(draft) "data-on:input__throttle.500ms"=(update_typing)
                            aria-label="Message" placeholder={"Message to #" (room)} autocomplete="off" maxlength=(LONGEST);
                        button #send { "Send" }
                    }
                }
            }
        }
    });
}

/// Nobody is told that they are typing themselves.
const TYPING: &str = "$typingIndicator.filter((name) => name != $username).map((name) => name + ' is typing...').join(' ')";

fn messages(page: &mut Page, room: autovia::ScopeOf) -> Component {
    let last = page.load(room, async |ctx| {
        let (chat, room) = (Arc::clone(chat(ctx)), ctx.param("room"));
        Ok(ctx.blocking(move || chat.last(&room)).await??)
    });
    page.component("messages", |page| {
        page.view(move |view| {
            let (room, messages, me) = (view.param("room"), last.get(view), view.session());
            html! {
                div.messages #messages tabindex="0" role="log" aria-live="polite" aria-label="Messages" {
                    @if !exists(&room) {
                        (empty(&format!("There is no room #{room}."), "Choose one of those above."))
                    } @else if messages.is_empty() {
                        (empty("Nothing here yet.", "Write the first message, or open this room in a second window and write to yourself."))
                    } @else {
                        ol { @for message in messages.iter() { (entry(message, message.author.session == me)) } }
                    }
                }
            }
        });
    })
}

fn entry(message: &Message, mine: bool) -> Markup {
    html! {
        li.msg.mine[mine] id={"m-" (message.id)} {
            b { (message.author.name) }
            time title="UTC" { (message.time()) }
            p { (message.text) }
        }
    }
}

fn empty(what: &str, hint: &str) -> Markup {
    html! { div.empty { p { b { (what) } } p { (hint) } } }
}

fn people(page: &mut Page) {
    page.view(|view| {
        let me = view.session();
        html! {
            div.badges #people aria-label="In this room" {
                @for person in view.data::<Arc<Chat>>().people(&view.param("room")) {
                    span.badge.me[person.session == me] { (person.name) }
                }
            }
        }
    });
}

fn counts(page: &mut Page) {
    page.view(|view| {
        let here = view.param("room");
        html! {
            nav.rooms #rooms aria-label="Rooms" {
                @for (room, _) in ROOMS {
                    a href={"/examples/chat-room/room/" (room)} aria-current=[(room == here).then_some("page")] {
                        "#" (room) " " span.num.soft.flash { (view.data::<Arc<Chat>>().people(room).len()) }
                    }
                }
            }
        }
    });
}

fn chat(ctx: &Ctx) -> &Arc<Chat> {
    ctx.data::<Arc<Chat>>()
}

fn this_room(ctx: &Ctx) -> Result<String> {
    let room = ctx.param("room");
    if exists(&room) {
        Ok(room)
    } else {
        Err(Error::new(format!("There is no room #{room}.")))
    }
}

/// `User` and four hex digits: the same in all tabs of a browser.
fn guest_name() -> String {
    format!("User{:04x}", getrandom::u32().unwrap_or_default() & 0xffff)
}
