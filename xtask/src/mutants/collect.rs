//! Which mutants there are: what the scan of the source finds, beside what the table says of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Mutant, Verdict};

/// One place where the source names an ordering that could be weaker.
struct Site {
    label: String,
    ordering: String,
    fence: bool,
    file: PathBuf,
    line: usize,
}

impl Site {
    /// The mutants that this place must have: name and new text of its line.
    fn mutants(&self, line: &str) -> Vec<(String, String)> {
        let named = format!("Ordering::{}", self.ordering);
        let relaxed = line.replace(&named, "Ordering::Relaxed");
        let name = |kind: &str| format!("{} {kind}", self.label);
        match (self.fence, self.ordering.as_str()) {
            (true, "SeqCst") => vec![
                (name("removed"), String::new()),
                (name("acqrel"), line.replace(&named, "Ordering::AcqRel")),
            ],
            (true, _) => vec![(name("removed"), String::new())],
            (false, _) => vec![(name("relaxed"), relaxed)],
        }
    }
}

/// All mutants: those of the scan and those of the table, each with its verdict.
pub(super) fn collect(root: &Path) -> Result<Vec<Mutant>, String> {
    let source = root.join("shards/src");
    let table = root.join("xtask/mutants/shards.txt");
    let table_text = read(&table)?;
    let mut entries = parse(&table_text)?;
    let mut mutants = Vec::new();
    let mut missing = String::new();
    let mut labels = HashSet::new();
    for file in rust_files(&source)? {
        if file.ends_with("sync/tsan.rs") {
            continue;
        }
        let text = read(&file)?;
        for site in scan(&file, &text)? {
            if !labels.insert(site.label.clone()) {
                return Err(format!("two places are labelled [{}]", site.label));
            }
            let line = text.lines().nth(site.line - 1).unwrap_or_default();
            for (name, new_line) in site.mutants(line) {
                match entries.remove(&name) {
                    Some(entry) => mutants.push(Mutant {
                        name,
                        file: site.file.clone(),
                        text: with_line(&text, site.line, &new_line),
                        line: site.line,
                        verdict: entry.verdict,
                        also: entry.also,
                    }),
                    None => {
                        let _ = writeln!(
                            missing,
                            "{}:{}: no entry `{name}` in {}: say which model catches it",
                            file.display(),
                            site.line,
                            table.display()
                        );
                    }
                }
            }
        }
    }
    for (name, entry) in entries {
        let Some(file) = entry.file else {
            let _ = writeln!(
                missing,
                "entry `{name}`: no such ordering in the source; {}",
                entry.verdict
            );
            continue;
        };
        let file = source.join(file);
        let text = read(&file)?;
        match replace(&text, &entry.replacements) {
            Ok((text, line)) => mutants.push(Mutant {
                name,
                file,
                text,
                line,
                verdict: entry.verdict,
                also: entry.also,
            }),
            Err(problem) => {
                let _ = writeln!(missing, "entry `{name}`: {problem}");
            }
        }
    }
    if missing.is_empty() {
        mutants.sort_by(|a, b| (&a.file, a.line, &a.name).cmp(&(&b.file, b.line, &b.name)));
        Ok(mutants)
    } else {
        Err(missing)
    }
}

/// The places in `text` that order memory, except `Relaxed` ones: nothing is weaker than those.
fn scan(file: &Path, text: &str) -> Result<Vec<Site>, String> {
    let mut sites = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let place = format!("{}:{}", file.display(), index + 1);
        let from_elsewhere = ["sync::atomic", "loom::", "shuttle::"];
        if !file.ends_with("sync.rs") && from_elsewhere.iter().any(|it| line.contains(it)) {
            return Err(format!("{place}: atomics come from sync.rs alone"));
        }
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let orderings: Vec<&str> = code
            .split("Ordering::")
            .skip(1)
            .map(|rest| {
                rest.split(|c: char| !c.is_alphanumeric())
                    .next()
                    .unwrap_or_default()
            })
            .filter(|&ordering| ordering != "Relaxed")
            .collect();
        let [ordering] = orderings[..] else {
            if orderings.is_empty() {
                continue;
            }
            return Err(format!(
                "{place}: more than one ordering in a line; split it"
            ));
        };
        if !["Acquire", "Release", "SeqCst"].contains(&ordering) {
            return Err(format!(
                "{place}: how to weaken `{ordering}` is not known here: teach it"
            ));
        }
        let label = comment
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let Some(label) = label else {
            return Err(format!(
                "{place}: no label, like `// [ring.publish]`, behind the ordering"
            ));
        };
        let fence = code.trim_start().starts_with("fence(");
        if ordering == "SeqCst" && !fence {
            return Err(format!(
                "{place}: loom weakens SeqCst accesses; use fence(SeqCst)"
            ));
        }
        sites.push(Site {
            label: label.to_owned(),
            ordering: ordering.to_owned(),
            fence,
            file: file.to_owned(),
            line: index + 1,
        });
    }
    Ok(sites)
}

struct Entry {
    file: Option<String>,
    replacements: Vec<(Vec<String>, Vec<String>)>,
    verdict: Verdict,
    also: Vec<(String, String)>,
}

fn parse(table: &str) -> Result<BTreeMap<String, Entry>, String> {
    let mut entries = BTreeMap::new();
    let lines = |block: &str| -> Vec<String> {
        block
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    };
    for block in table
        .split("\n\n")
        .map(lines)
        .filter(|block| !block.is_empty())
    {
        let (name, rest) = (&block[0], &block[1..]);
        let mut file = None;
        let mut replacements: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        let mut verdict = None;
        let mut also = Vec::new();
        for line in rest {
            let (kind, text) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "in" => file = Some(text.to_owned()),
                "-" => match replacements.last_mut() {
                    Some((old, new)) if new.is_empty() => old.push(text.to_owned()),
                    _ => replacements.push((vec![text.to_owned()], Vec::new())),
                },
                "+" => match replacements.last_mut() {
                    Some((_, new)) => new.push(text.to_owned()),
                    None => return Err(format!("entry `{name}`: `+` before `-`")),
                },
                "caught" => verdict = Some(Verdict::Caught(models(name, text)?)),
                "also" => also.extend(models(name, text)?),
                "equivalent" => verdict = Some(Verdict::Equivalent(text.to_owned())),
                "beyond" => verdict = Some(Verdict::Beyond(text.to_owned())),
                _ => return Err(format!("entry `{name}`: `{line}` is not understood")),
            }
        }
        let Some(verdict) = verdict else {
            return Err(format!("entry `{name}` has no verdict"));
        };
        let entry = Entry {
            file,
            replacements,
            verdict,
            also,
        };
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("entry `{name}` is there twice"));
        }
    }
    Ok(entries)
}

fn models(name: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    text.split_whitespace()
        .map(|model| {
            let (file, model) = model
                .split_once("::")
                .ok_or_else(|| format!("entry `{name}`: `{model}` is not file::model"))?;
            Ok((file.to_owned(), model.to_owned()))
        })
        .collect()
}

/// `text` with each replacement made; indentation and line breaks of the old text don't matter.
fn replace(
    text: &str,
    replacements: &[(Vec<String>, Vec<String>)],
) -> Result<(String, usize), String> {
    let mut text = text.to_owned();
    let mut first_line = None;
    for (old, new) in replacements {
        let old: String = old.join("\n");
        let (start, end) = find_loosely(&text, &old)?;
        first_line.get_or_insert(text[..start].matches('\n').count() + 1);
        text.replace_range(start..end, &new.join("\n"));
    }
    first_line
        .map(|line| (text, line))
        .ok_or_else(|| "nothing is replaced".into())
}

/// Where `old` is in `text`, blanks aside; it must be there once.
fn find_loosely(text: &str, old: &str) -> Result<(usize, usize), String> {
    let wanted: Vec<char> = old.chars().filter(|c| !c.is_whitespace()).collect();
    let letters: Vec<(usize, char)> = text
        .char_indices()
        .filter(|(_, c)| !c.is_whitespace())
        .collect();
    let mut places = letters
        .windows(wanted.len().max(1))
        .filter(|window| window.iter().map(|&(_, c)| c).eq(wanted.iter().copied()));
    match (places.next(), places.next()) {
        (Some([(start, _), .., (end, last)]), None) => Ok((*start, end + last.len_utf8())),
        (Some(_), _) => Err(format!("`{old}` is more than once in the file")),
        (None, _) => Err(format!("`{old}` is not in the file")),
    }
}

fn with_line(text: &str, line: usize, new: &str) -> String {
    let lines = text.lines().enumerate();
    lines.fold(String::new(), |mut all, (index, old)| {
        all.push_str(if index + 1 == line { new } else { old });
        all.push('\n');
        all
    })
}

pub(super) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}
