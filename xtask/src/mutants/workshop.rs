//! Where mutants are tried: a copy of `shards/` and `loom-tests/` in the target folder, as a workspace
//! of its own, so that the tree is never touched.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fmt, fs, thread};

use super::collect::read;
use super::tools::Tool;
use super::{Mutant, Verdict};

const POLL: Duration = Duration::from_millis(10);

pub(super) struct Workshop {
    root: PathBuf,
    copy: PathBuf,
}

/// What came of the mutants.
#[derive(Default)]
struct Sum {
    expected: usize,
    caught: usize,
    equivalent: usize,
    beyond: usize,
    also_expected: usize,
    also: usize,
    not_run: usize,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} mutants caught, {} equivalent, {} beyond loom",
            self.caught, self.expected, self.equivalent, self.beyond
        )?;
        if self.also_expected > 0 {
            write!(
                f,
                "; {} of {} by shuttle or ThreadSanitizer too",
                self.also, self.also_expected
            )?;
        }
        if self.not_run > 0 {
            write!(f, " ({} NOT RUN: no runtime)", self.not_run)?;
        }
        Ok(())
    }
}

/// How a run of a model ended.
enum Outcome {
    Passed,
    Failed,
    TooLong,
}

impl Workshop {
    /// Makes the copy anew, but keeps what was built.
    pub(super) fn open(root: &Path) -> Result<Self, String> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
        let copy = target.join("mutants");
        for folder in ["shards", "loom-tests"] {
            let to = copy.join(folder);
            if to.exists() {
                fs::remove_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
            }
            copy_folder(&root.join(folder), &to)?;
        }
        fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock"))
            .map_err(|e| format!("Cargo.lock: {e}"))?;
        write(
            &copy.join("Cargo.toml"),
            &workspace(&read(&root.join("Cargo.toml"))?),
        )?;
        Ok(Self {
            root: root.to_owned(),
            copy,
        })
    }

    /// Where the copy lies.
    pub(super) fn folder(&self) -> &Path {
        &self.copy
    }

    /// Runs all tests of shuttle or of ThreadSanitizer on the source as it is, and prints what they say.
    pub(super) fn run_unmutated(&self, file: &str) -> Result<(), String> {
        let tool = Tool::of(file);
        if let Some(why) = tool.missing()? {
            println!("{file}: NOT RUN: {why}");
            return Ok(());
        }
        let began = Instant::now();
        let program = self
            .build(file)?
            .ok_or_else(|| format!("the tests of {file} do not compile"))?;
        let status = Tool::run(&program, None)
            .current_dir(&self.copy)
            .status()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        println!("{:6.1} s  {file}: {status}", began.elapsed().as_secs_f64());
        if status.success() {
            Ok(())
        } else {
            Err(format!("the tests of {file} fail: {status}"))
        }
    }

    /// Tries each; prints a line each and the sum. True when all is as the table says.
    pub(super) fn try_all(&self, mutants: &[&Mutant]) -> Result<bool, String> {
        let mut sum = Sum::default();
        let mut wrong = Vec::new();
        self.check_unmutated(mutants)?;
        for mutant in mutants {
            let began = Instant::now();
            let report = match &mutant.verdict {
                Verdict::Caught(models) => {
                    sum.expected += 1;
                    match self.catch(mutant, models)? {
                        Some(model) => {
                            sum.caught += 1;
                            format!("caught by {model}")
                        }
                        None => {
                            wrong.push(mutant.name.as_str());
                            "NOT CAUGHT".to_owned()
                        }
                    }
                }
                Verdict::Equivalent(_) => {
                    sum.equivalent += 1;
                    mutant.verdict.to_string()
                }
                Verdict::Beyond(_) => {
                    sum.beyond += 1;
                    mutant.verdict.to_string()
                }
            };
            print!(
                "{:6.1} s  {}: {report}",
                began.elapsed().as_secs_f64(),
                mutant.name
            );
            for test in &mutant.also {
                sum.also_expected += 1;
                if Tool::of(&test.0).missing()?.is_some() {
                    sum.not_run += 1;
                    print!(", {}::{} not run", test.0, test.1);
                } else if self.catch(mutant, std::slice::from_ref(test))?.is_some() {
                    sum.also += 1;
                    print!(", by {}::{}", test.0, test.1);
                } else {
                    wrong.push(mutant.name.as_str());
                    print!(", NOT BY {}::{}", test.0, test.1);
                }
            }
            println!();
        }
        println!("{sum}");
        for name in &wrong {
            println!(
                "not all that should fails for `{name}`: sharpen a model, or argue that nothing can fail"
            );
        }
        Ok(wrong.is_empty())
    }

    /// The tests that are asked must pass without a mutant, or their failing says nothing.
    fn check_unmutated(&self, mutants: &[&Mutant]) -> Result<(), String> {
        let mut models: Vec<&(String, String)> = mutants
            .iter()
            .flat_map(|mutant| {
                let caught = match &mutant.verdict {
                    Verdict::Caught(models) => &models[..],
                    _ => &[],
                };
                caught.iter().chain(&mutant.also)
            })
            .collect();
        models.sort();
        models.dedup();
        for (file, model) in models {
            if Tool::of(file).missing()?.is_some() {
                continue;
            }
            let program = self
                .build(file)?
                .ok_or_else(|| format!("the models of {file} do not compile"))?;
            match self.run(Tool::of(file), &program, model)? {
                Outcome::Passed => {}
                Outcome::Failed => return Err(format!("{file}::{model} fails unmutated")),
                Outcome::TooLong => {
                    return Err(format!("{file}::{model} takes too long unmutated"));
                }
            }
        }
        Ok(())
    }

    /// The first of `models` that fails for the mutant.
    fn catch(
        &self,
        mutant: &Mutant,
        models: &[(String, String)],
    ) -> Result<Option<String>, String> {
        let file = mutant
            .file
            .strip_prefix(&self.root)
            .map_err(|e| e.to_string())?;
        let place = self.copy.join(file);
        write(&place, &mutant.text)?;
        let caught = self.first_failing(models);
        write(&place, &read(&mutant.file)?)?;
        caught.map_err(|problem| format!("`{}`: {problem}", mutant.name))
    }

    fn first_failing(&self, models: &[(String, String)]) -> Result<Option<String>, String> {
        for (file, model) in models {
            let program = self
                .build(file)?
                .ok_or("does not compile, so it shows nothing: write it differently")?;
            let tool = Tool::of(file);
            for _ in 0..tool.attempts() {
                match self.run(tool, &program, model)? {
                    Outcome::Failed => return Ok(Some(format!("{file}::{model}"))),
                    // Real threads that take torn values for lengths or addresses may never end.
                    Outcome::TooLong if tool == Tool::ThreadSanitizer => {
                        return Ok(Some(format!("{file}::{model}")));
                    }
                    Outcome::TooLong | Outcome::Passed => {}
                }
            }
        }
        Ok(None)
    }

    /// Builds the models of one file; `None` when they don't compile.
    pub(super) fn build(&self, file: &str) -> Result<Option<PathBuf>, String> {
        let output = Tool::of(file)
            .build(&self.copy, file)?
            .output()
            .map_err(|e| format!("cargo: {e}"))?;
        if !output.status.success() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let program = text
            .lines()
            .filter_map(|line| line.split_once("\"executable\":\""))
            .filter_map(|(_, rest)| rest.split('"').next())
            .next_back()
            .ok_or_else(|| format!("cargo names no program for {file}"))?;
        Ok(Some(program.into()))
    }

    fn run(&self, tool: Tool, program: &Path, model: &str) -> Result<Outcome, String> {
        let mut child = Tool::run(program, Some(model))
            .current_dir(&self.copy)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        Ok(match wait(&mut child, tool.patience())? {
            Some(status) if status.success() => Outcome::Passed,
            Some(_) => Outcome::Failed,
            None => Outcome::TooLong,
        })
    }
}

/// Waits for the end; `None` when that took too long and the child was ended.
fn wait(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>, String> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(Some(status));
        }
        if began.elapsed() > patience {
            child.kill().map_err(|e| e.to_string())?;
            child.wait().map_err(|e| e.to_string())?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// The manifest of the copy: the root's settings that members inherit, loom itself at full speed, and
/// what changes with each mutant compiled fast.
fn workspace(root_manifest: &str) -> String {
    let inherited: String = root_manifest
        .split("\n[")
        .filter(|section| section.starts_with("workspace."))
        .map(|section| format!("[{section}\n"))
        .collect();
    format!(
        "[workspace]\nmembers = [\"shards\", \"loom-tests\"]\nresolver = \"3\"\n\n{inherited}\n\
         [profile.test]\nopt-level = 1\ndebug = false\n\n\
         [profile.dev]\nopt-level = 1\ndebug = false\n\n\
         [profile.dev.package.\"*\"]\nopt-level = 3\n"
    )
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
    let entries = fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| e.to_string())?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
