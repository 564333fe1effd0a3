//! The app that the tests run: one page per thing that has to be shown.

mod brokers;
mod data;
mod desk;
mod failures;
mod life;
mod model;
mod nodes;
mod scopes;
mod state;

use autovia::prelude::*;
use clap::Parser;
use data::{Gate, Log};
use maud::html;

#[derive(Parser)]
struct Cli {
    /// A broker of the app's own, where no option names one
    #[arg(long)]
    app_broker: Option<String>,
    /// The hook for errors of the broker panics
    #[arg(long)]
    hook_panics: bool,
    /// The folder of what several nodes show
    #[arg(long, default_value = ".")]
    store: std::path::PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

fn main() {
    let log = Log::default();
    let gate = Gate::default();
    let cli = Cli::parse();
    let store = nodes::Store(cli.store);
    let server =
        Server::from_args(cli.server).on_broker_error(brokers::hook(log.clone(), cli.hook_panics));
    brokers::choose(server, cli.app_broker.as_deref()).run(move |app| {
        app.data(store.clone());
        app.data(log.clone());
        app.data(gate.clone());
        app.page("/", counter);
        app.page("/log", data::log_page);
        app.page("/params/{year}/{slug}", params);
        app.page("/arguments", arguments);
        app.page("/take", take);
        app.page("/template", template);
        app.page("/components", components);
        app.page("/around", around);
        app.page("/big", state::big_integers);
        scopes::setup(app);
        state::setup(app);
        desk::setup(app);
        failures::setup(app);
        life::setup(app);
        model::setup(app);
        nodes::setup(app);
        app.template("hello.html", include_str!("hello.html"));
    })
}

/// What every page of the probe shows of where it is.
pub fn place(view: &View) -> maud::Markup {
    html! { footer { "lane " b #shard { (view.shard()) } } }
}

fn counter(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    let step = page.input("step", 1_i64);
    let add = page.action("add", async move |ctx| {
        count.update(ctx, |n| n + step.get(ctx))
    });
    let reset = page.action("reset", async move |ctx| count.set(ctx, 0));
    page.action("go", async |ctx| ctx.redirect("/take"));
    page.action("wrong-redirect", async |ctx| {
        ctx.redirect("javascript:alert(1)")
    });
    page.action("script", async |ctx| {
        ctx.execute_script("window.ran = 1; // </script>\nwindow.ran += 1")
    });
    page.action("blocking", async move |ctx| {
        let name = ctx
            .blocking(|| std::thread::current().name().unwrap_or("").to_owned())
            .await?;
        count.set(ctx, i64::from(name.starts_with("blocking")));
        autovia::Result::Ok(())
    });
    page.title(|_| "the probe".to_owned());
    page.view(move |view| {
        html! {
            main #counter {
                p #count { (count.text(view)) }
                input #step type="number" data-bind=(step);
                button #add data-on:click=(add) { "+" }
                button #reset data-on:click=(reset) { "reset" }
                (place(view))
            }
        }
    });
}

fn params(page: &mut Page) {
    page.view(|view| {
        html! { main #params { p #year { (view.param("year")) } p #slug { (view.param("slug")) } p #path { (view.path()) } } }
    });
}

fn arguments(page: &mut Page) {
    let got = page.signal("got", String::new());
    let take = page.action("take", async move |ctx| {
        let (number, text): (u8, String) = (ctx.arg()?, ctx.arg_at(1)?);
        got.set(ctx, format!("{number} {text}"));
        autovia::Result::Ok(())
    });
    page.view(move |view| {
        html! {
            main #arguments {
                p #got { (got.text(view)) }
                button #plain data-on:click=(take.with_all((7, "a b"))) { "7" }
                button #hostile data-on:click=(take.with_all((8, "'); $got \"</p> @post('/x') é"))) { "8" }
            }
        }
    });
}

fn take(page: &mut Page) {
    let draft = page.input("draft", String::new());
    let sent = page.signal("sent", String::new());
    let send = page.action("send", async move |ctx| {
        let text = draft.take(ctx);
        sent.set(ctx, text);
    });
    let fill = page.action("fill", async move |ctx| draft.set(ctx, "filled".to_owned()));
    page.view(move |view| {
        html! {
            main #take {
                input #draft data-bind=(draft);
                button #send data-on:click=(send) { "send" }
                button #fill data-on:click=(fill) { "fill" }
                p #sent { (sent.text(view)) }
                (place(view))
            }
        }
    });
}

fn template(page: &mut Page) {
    let name = page.signal("name", "<b>you</b>".to_owned());
    let draft = page.input("draft", String::new());
    page.action("rename", async move |ctx| name.set(ctx, draft.get(ctx)));
    page.template_block(
        "hello.html",
        "greeting",
        move |view| context! { name => name.get(view) },
    );
}

fn components(page: &mut Page) {
    fn vote(page: &mut Page) {
        let votes = page.signal("votes", 0);
        let up = page.action("up", async move |ctx| votes.update(ctx, |n| n + 1));
        page.view(move |view| html! { button data-on:click=(up) { "votes: " (votes.get(view)) } });
    }
    let cats = page.component("cats", vote);
    let dogs = page.component("dogs", vote);
    let title = page.signal("title", "pets".to_owned());
    let draft = page.input("draft", String::new());
    page.action("rename", async move |ctx| title.set(ctx, draft.get(ctx)));
    page.view(move |view| html! { main #pets { h1 { (title.get(view)) } (cats.html(view)) (dogs.html(view)) } });
}

/// A component that the layout places, and one that nothing places.
fn around(page: &mut Page) {
    let count = page.signal("count", 0);
    page.action("add", async move |ctx| count.update(ctx, |n| n + 1));
    let placed = page.component("placed", move |page| {
        page.view(move |view| html! { b { (count.get(view)) } });
    });
    let hidden = page.component("hidden", move |page| {
        page.view(move |view| html! { i { (count.get(view)) } });
    });
    page.view(move |view| {
        html! { main #inner { @if view.path().is_empty() { (hidden.html(view)) } } }
    });
    page.layout(move |view, inner| html! { (inner) footer { (placed.html(view)) } });
}
