//! The structures that the threads share, each beside its peers: nanoseconds per operation.
//!
//! One round measures every structure once; those of one case follow each other, and who comes first turns with
//! the round. Within a measurement time is taken in short slices of which the middle one counts, so that other
//! work on the machine spoils slices and not figures.

mod hops;
pub mod report;
mod rings;
mod sets;
mod slots;
mod time;

use std::fmt;
use std::path::PathBuf;

use crate::cpu;
use crate::suites::SuiteError;

/// What to run.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Parts of the suite to run.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    pub parts: Vec<Part>,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"))]
    pub out: PathBuf,
}

/// A part of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Part {
    /// From one thread to another, by a queue.
    Rings,
    /// From shard to shard, through the runtime.
    Hops,
    /// Values of 64 bytes by key.
    Slots,
    /// Values of 4,096 bytes by key.
    LargeSlots,
    /// Dirty set and interned names.
    Sets,
}

impl Part {
    /// All, in the order of the report.
    pub const ALL: [Part; 5] = [
        Part::Rings,
        Part::Hops,
        Part::Slots,
        Part::LargeSlots,
        Part::Sets,
    ];

    fn cases(self) -> Vec<Case> {
        match self {
            Part::Rings => rings::cases(),
            Part::Hops => hops::cases(),
            Part::Slots => slots::cases(64),
            Part::LargeSlots => slots::cases(4096),
            Part::Sets => sets::cases(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Part::Rings => "Queues from one thread to another",
            Part::Hops => "From shard to shard",
            Part::Slots => "Values of 64 bytes by key",
            Part::LargeSlots => "Values of 4,096 bytes by key",
            Part::Sets => "Dirty set and names",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Part::Rings => rings::EXPLANATION,
            Part::Hops => hops::EXPLANATION,
            Part::Slots | Part::LargeSlots => slots::EXPLANATION,
            Part::Sets => sets::EXPLANATION,
        }
    }
}

/// As on the command line.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Rings => "rings",
            Part::Hops => "hops",
            Part::Slots => "slots",
            Part::LargeSlots => "large-slots",
            Part::Sets => "sets",
        })
    }
}

/// The cores of the two threads.
pub type Cores = [usize; 2];

/// Measures once: nanoseconds per operation.
type Measure = Box<dyn Fn(Cores) -> Result<f64, SuiteError>>;

/// What is measured on several structures. The first is ours.
struct Case {
    name: String,
    subjects: Vec<(&'static str, Measure)>,
}

impl Case {
    fn new(name: impl Into<String>) -> Case {
        Case {
            name: name.into(),
            subjects: Vec::new(),
        }
    }

    fn with(mut self, subject: &'static str, measure: impl Fn(Cores) -> f64 + 'static) -> Case {
        let measure: Measure = Box::new(move |cores| Ok(measure(cores)));
        self.subjects.push((subject, measure));
        self
    }

    fn with_fallible(
        mut self,
        subject: &'static str,
        measure: impl Fn(Cores) -> Result<f64, SuiteError> + 'static,
    ) -> Case {
        self.subjects.push((subject, Box::new(measure)));
        self
    }
}

/// One structure in one case in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The part of the suite.
    pub part: Part,
    /// What was measured.
    pub case: String,
    /// On what.
    pub subject: &'static str,
    /// In which round, from 1.
    pub round: u32,
    /// Nanoseconds per operation.
    pub ns: f64,
}

/// Runs all rounds; `progress` is told each sample as it comes. The samples are in the order of the report.
pub fn run(
    options: &Options,
    progress: &mut dyn FnMut(&Sample),
) -> Result<(Vec<Sample>, Cores), SuiteError> {
    let cores = two_cores()?;
    let mut samples = Vec::new();
    for round in 1..=options.rounds {
        for &part in Part::ALL.iter().filter(|part| options.parts.contains(part)) {
            for case in part.cases() {
                let count = case.subjects.len();
                let mut of_case = Vec::new();
                for turn in 0..count {
                    let place = (turn + round as usize - 1) % count;
                    let (subject, measure) = &case.subjects[place];
                    let sample = Sample {
                        part,
                        case: case.name.clone(),
                        subject,
                        round,
                        ns: measure(cores)?,
                    };
                    progress(&sample);
                    of_case.push((place, sample));
                }
                of_case.sort_by_key(|&(place, _)| place);
                samples.extend(of_case.into_iter().map(|(_, sample)| sample));
            }
        }
    }
    Ok((samples, cores))
}

fn two_cores() -> Result<Cores, SuiteError> {
    match cpu::allowed_cores().map_err(SuiteError::system("choosing cores"))?[..] {
        [one, other, ..] => Ok([one, other]),
        _ => Err(SuiteError::TooFewCores),
    }
}
