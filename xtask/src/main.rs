//! Project tasks, run as `cargo xtask <task>`: what CI does and a developer does are the same commands.
//!
//! Standard library only, so that the task runner itself builds in a second.

#![forbid(unsafe_code)]

mod fuzz;
mod mutants;
mod rules;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

tasks:
  test [--quick]   install what the tests need, then format, lints, docs, tests, models, checks
                   (--quick leaves out docs, loom models, mutants and fuzzers)
  mutants [...]    weaken one ordering or check of shards/ at a time and expect a model to fail
                   (--list, --all, --sample N, or names)
  fuzz [...]       run each target of tests/fuzz for a minute
                   (--seconds N, --keep, --repeat TARGET FILE, or names of targets)
  setup            only install what the tests need
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((task, rest)) if task == "test" => test::run(rest),
        Some((task, rest)) if task == "mutants" => mutants::run(rest),
        Some((task, rest)) if task == "fuzz" => fuzz::run(rest),
        Some((task, [])) if task == "setup" => test::setup(),
        Some((task, _)) if task == "help" || task == "--help" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some((task, rest)) => {
            eprintln!(
                "xtask: no task reads `{task} {}`\n\n{USAGE}",
                rest.join(" ")
            );
            ExitCode::from(2)
        }
        None => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
