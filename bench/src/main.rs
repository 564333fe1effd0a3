//! `autovia-bench <suite>`: runs a suite, prints its table, writes its report.

use std::process::ExitCode;

use autovia_bench::machine::Facts;
use autovia_bench::suites::{
    Plan, SuiteError, check, fanout, fanout_report, hold, nodes, shards, sheet, small,
};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures autovia beside its peers, in one interleaved run on one machine")]
struct Options {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// User-space instructions per delivered event (callgrind), compared with the committed baseline.
    Check(check::Options),
    /// All streams watch one scope: CPU per delivered event, time until the last has it, memory per stream.
    Fanout(fanout::Options),
    /// Fan-out to many scopes, to few of many, and with a rendering for each viewer.
    Variants(sheet::Options),
    /// CPU per event at 1,000 and at 15,000 streams, one shard and two, beside the floor's own growth.
    Growth(sheet::Options),
    /// Memory per idle stream, kept-alive connection and parked page.
    Idle(sheet::Options),
    /// Clicks: request, run, value on the tab's own stream.
    Actions(sheet::Options),
    /// All tabs come at once: streams per second and core.
    Storm(sheet::Options),
    /// Streams open and close: CPU for each, memory that is kept.
    Churn(sheet::Options),
    /// A fifth of the tabs hide and show.
    Visibility(sheet::Options),
    /// Events, hiding tabs and visitors at once.
    Mixed(sheet::Options),
    /// Readers that stop to read: what they cost the others, and the server's memory.
    Slow(sheet::Options),
    /// Every suite that compares with peers in its short form, in less than 12 minutes: renews all their pages.
    All {
        /// How often each subject is measured.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// More streams than a descriptor table holds, 100,000 unless said: ramp, memory, rest, events, churn, and what is
    /// given back. Some ten minutes a round.
    Hold(hold::Options),
    /// From node to node through a broker: latency, messages per second, CPU per message, beside a bare loop.
    Nodes(nodes::Options),
    /// What the threads share, beside its peers: ns per operation of rings, hops, slot table, sets.
    Shards(shards::Options),
}

fn main() -> ExitCode {
    let done = match Options::parse().suite {
        Suite::Check(options) => run_check(&options),
        Suite::Fanout(options) => run_fanout(&options),
        Suite::Variants(options) => run_small(&small::variants::PLAN, &options),
        Suite::Growth(options) => run_small(&small::growth::PLAN, &options),
        Suite::Idle(options) => run_small(&small::idle::PLAN, &options),
        Suite::Actions(options) => run_small(&small::actions::PLAN, &options),
        Suite::Storm(options) => run_small(&small::storm::PLAN, &options),
        Suite::Churn(options) => run_small(&small::churn::PLAN, &options),
        Suite::Visibility(options) => run_small(&small::visibility::PLAN, &options),
        Suite::Mixed(options) => run_small(&small::mixed::PLAN, &options),
        Suite::Slow(options) => run_small(&small::slow::PLAN, &options),
        Suite::All { rounds } => run_all(rounds),
        Suite::Hold(options) => run_hold(&options),
        Suite::Nodes(options) => run_nodes(&options),
        Suite::Shards(options) => run_shards(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run_check(options: &check::Options) -> Result<(), SuiteError> {
    let counts = check::run(options, &mut |count| {
        eprintln!(
            "{}: {:.1} instructions/event",
            count.case.name, count.per_event
        );
    })?;
    if options.renew {
        let doing = format!("writing {}", options.baseline.display());
        read_baseline(options)?
            .renewed_by(check::medians(&counts))
            .write(&options.baseline)
            .map_err(SuiteError::system(doing))?;
        if !cfg!(debug_assertions) {
            check::report::write(&options.out, &counts, &Facts::read())?;
        }
    }
    let baseline = read_baseline(options)?;
    println!("{}", check::report::table(&counts, &baseline));
    match check::report::complaints(&counts, &baseline) {
        none if none.is_empty() => Ok(()),
        complaints => Err(SuiteError::Worse(complaints.join("\n"))),
    }
}

fn read_baseline(options: &check::Options) -> Result<check::baseline::Baseline, SuiteError> {
    let doing = format!("reading {}", options.baseline.display());
    check::baseline::Baseline::read(&options.baseline).map_err(SuiteError::system(doing))
}

/// These suites end with an error where an event was lost or doubled.
fn run_small(plan: &Plan, options: &sheet::Options) -> Result<(), SuiteError> {
    println!("{}", sheet::run(plan, options)?);
    Ok(())
}

/// A suite's options by themselves, with their defaults.
#[derive(Parser)]
struct Only<T: clap::Args> {
    #[command(flatten)]
    options: T,
}

/// Goes on where a suite fails, and names those that did.
fn run_all(rounds: u32) -> Result<(), SuiteError> {
    let line = ["bench", "--rounds", &rounds.to_string()];
    let mut outcomes = vec![("fanout", run_fanout(&Only::parse_from(line).options))];
    for plan in small::PLANS {
        outcomes.push((plan.name, run_small(plan, &Only::parse_from(line).options)));
    }
    let failed = outcomes
        .into_iter()
        .filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.err()?)));
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(SuiteError::Several(failed.join("\n")))
    }
}

/// Fails, once the table is written, if a stream did not get everything.
fn run_fanout(options: &fanout::Options) -> Result<(), SuiteError> {
    let facts = Facts::read();
    let (samples, cores) = fanout::run(options, &mut |sample| {
        eprintln!(
            "round {} · {} streams · {:<11} {:>6.2} µs/event, last stream {:.1} ms",
            sample.round,
            sample.streams,
            sample.peer.name(),
            sample.cpu(),
            sample.last_p50.as_secs_f64() * 1e3
        );
    })?;
    fanout_report::write(&options.out, &samples, &facts, cores)?;
    println!("{}", fanout_report::table(&samples));
    if samples.iter().all(|sample| sample.report.is_clean()) {
        Ok(())
    } else {
        Err(SuiteError::EventsMissing)
    }
}

/// Ends with an error where a stream was refused or closed, or an event lost or doubled.
fn run_hold(options: &hold::Options) -> Result<(), SuiteError> {
    let facts = Facts::read();
    let (rounds, rig) = hold::run(options, &mut |text| eprintln!("{text}"))?;
    hold::report::write(options, &rounds, &facts, &rig)?;
    println!("{}", hold::report::by_size(&rounds));
    println!("{}", hold::report::held(&rounds));
    Ok(())
}

fn run_nodes(options: &nodes::Options) -> Result<(), SuiteError> {
    let facts = Facts::read();
    let outcome = nodes::run(options, &mut |sample| {
        eprintln!(
            "round {} · {} · {:<7} p50 {:>6.1} µs, p99 {:>6.1} µs, {:>7.0} messages/s",
            sample.round,
            sample.broker,
            sample.subject.name(),
            sample.p50.as_secs_f64() * 1e6,
            sample.p99.as_secs_f64() * 1e6,
            sample.rate
        );
    })?;
    if !outcome.samples.is_empty() {
        nodes::report::write(&options.out, &outcome, options, &facts)?;
    }
    println!("{}", nodes::report::table(&outcome.samples));
    Ok(())
}

fn run_shards(options: &shards::Options) -> Result<(), SuiteError> {
    let facts = Facts::read();
    let (samples, cores) = shards::run(options, &mut |sample| {
        eprintln!(
            "round {} · {} · {} · {}: {:.1} ns",
            sample.round, sample.part, sample.case, sample.subject, sample.ns
        );
    })?;
    shards::report::write(&options.out, &samples, &facts, cores)?;
    for &part in &options.parts {
        println!("{}", shards::report::table(&samples, part));
    }
    Ok(())
}
