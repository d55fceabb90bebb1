//! What rustc says of the programs in `tests/compile_fail`.
//!
//! Each file is a program. Comments in it say what rustc reports, and at which line:
//!
//! * `//~ error: text` is an error at this line, `//~^ error: text` one at the line above;
//! * `//~ warning: text` is a warning;
//! * `text && more text` asks for each of the texts, anywhere in the report.
//!
//! rustc has to report exactly that: a report without a comment fails the test as well as a comment
//! without a report, so a file without comments has to compile without a warning. The texts are
//! short, because the wording of rustc changes.
//!
//! `//@ edition: 2021` in the first line is the edition to compile the file with, if not 2024.
//!
//! The programs are compiled by one `cargo check` of packages that depend on this one, without
//! network and with the versions of this package's `Cargo.lock`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// One test for each file, and one that no file is forgotten.
macro_rules! files {
    ($($name:ident)+) => {
        const FILES: &[&str] = &[$(stringify!($name)),+];

        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )+
    };
}

files! {
    argument_that_is_not_send
    async_fn_that_starts_itself
    await_of_an_unbounded_result
    block_that_is_not_send
    body_that_is_not_send
    borrow_of_a_variable
    capture_without_move
    closure_with_arguments
    direction_of_a_channel
    ignored_result
    lock_of_a_channel
    macro_call
    main_that_is_not_async
    main_with_an_argument
    main_with_wrong_settings
    nothing_to_start
    ok_edition_2018
    ok_edition_2021
    ok_result_handled
    ok_shadowed_names
    ok_without_warnings
    select_case_that_is_no_future
    select_case_without_a_pattern
    select_with_a_refutable_pattern
    select_with_biased
    select_with_else
    select_with_two_defaults
    unsafe_fn
    use_after_move
    value_that_cannot_run
    warnings_of_the_users_own_code
    wrong_argument
}

#[test]
fn every_file_has_a_test() {
    let files = fs::read_dir(source("")).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, FILES);
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail").join(file)
}

/// An error or a warning, at a line of a program.
#[derive(Debug, Clone, PartialEq)]
struct Report {
    level: String,
    line: usize,
    text: String,
}

/// A comment that asks for a report.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    level: String,
    line: usize,
    texts: Vec<String>,
}

impl Wanted {
    fn matches(&self, report: &Report) -> bool {
        self.level == report.level
            && self.line == report.line
            && self.texts.iter().all(|text| report.text.contains(text))
    }
}

fn wanted(program: &str) -> Vec<Wanted> {
    let comment = |(index, line): (usize, &str)| {
        let comment = line.split_once("//~")?.1;
        let (line, comment) = match comment.strip_prefix('^') {
            Some(comment) => (index, comment),
            None => (index + 1, comment),
        };
        let (level, texts) = comment.trim().split_once(": ").expect("`level: text`");
        assert!(["error", "warning"].contains(&level), "{comment}");
        Some(Wanted {
            level: level.to_owned(),
            line,
            texts: texts.split(" && ").map(str::to_owned).collect(),
        })
    };
    program.lines().enumerate().filter_map(comment).collect()
}

/// The reports in the output of cargo, by the name of the file they are about.
///
/// A report starts at the left margin with its level, names its place in the next line, and ends
/// at the next that does so. One whose place is elsewhere, or nowhere, is about no program: cargo
/// counts the errors at the end, for example.
fn reports(output: &str) -> BTreeMap<String, Vec<Report>> {
    let mut reports = BTreeMap::<String, Vec<Report>>::new();
    let mut lines = output.lines().peekable();
    while let Some(first) = lines.next() {
        let Some(level) = level(first) else { continue };
        let mut text = String::new();
        let mut next = Some(first);
        while let Some(line) = next {
            // The report quotes the program, and the comment in it is no answer to itself.
            let line = line.split("//~").next().unwrap();
            writeln!(text, "{line}").unwrap();
            next = lines.next_if(|line| level_or_status(line).is_none());
        }
        let place = text.lines().find_map(|line| line.trim_start().strip_prefix("--> "));
        let Some((path, line)) = place.and_then(|place| {
            let mut parts = place.rsplitn(3, ':').skip(1);
            let line = parts.next()?.parse().ok()?;
            Some((Path::new(parts.next()?), line))
        }) else {
            continue;
        };
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let level = level.to_owned();
        reports.entry(name).or_default().push(Report { level, line, text });
    }
    reports
}

fn level(line: &str) -> Option<&'static str> {
    ["error", "warning"]
        .into_iter()
        .find(|level| line.strip_prefix(level).is_some_and(|rest| rest.starts_with([':', '['])))
}

/// The level of a report, or the word with which cargo tells its progress: either ends the report
/// before it.
fn level_or_status(line: &str) -> Option<&str> {
    level(line).or_else(|| {
        let word = line.trim_start().split(' ').next()?;
        ["Checking", "Compiling", "Finished", "Blocking", "Building"]
            .contains(&word)
            .then_some(word)
    })
}

/// What is wrong: reports nobody wants, and comments without a report.
fn difference(mut wanted: Vec<Wanted>, reports: &[Report]) -> String {
    let mut wrong = String::new();
    for report in reports {
        match wanted.iter().position(|wanted| wanted.matches(report)) {
            Some(found) => drop(wanted.remove(found)),
            None => writeln!(wrong, "not expected:\n{}", report.text).unwrap(),
        }
    }
    for missing in wanted {
        writeln!(wrong, "not reported: {missing:?}").unwrap();
    }
    wrong
}

fn check(name: &str) {
    static OUTPUT: OnceLock<String> = OnceLock::new();
    let output = OUTPUT.get_or_init(compile);
    // If cargo did not come to the programs, its silence about one would prove nothing.
    assert!(output.contains("could not compile `compile-fail-2024`"), "{output}");
    let program = fs::read_to_string(source(name).with_extension("rs")).unwrap();
    let wrong = difference(wanted(&program), reports(output).get(name).map_or(&[], Vec::as_slice));
    assert!(wrong.is_empty(), "{name}.rs:\n{wrong}");
}

/// Checks all programs, and returns what cargo says.
///
/// They are in one package for each edition, as a package has one.
fn compile() -> String {
    let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let library = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut packages = BTreeMap::<String, String>::new();
    for name in FILES {
        let path = source(name).with_extension("rs");
        let program = fs::read_to_string(&path).unwrap();
        let edition = program
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("//@ edition: "))
            .unwrap_or("2024");
        let manifest = packages.entry(edition.to_owned()).or_insert_with(|| {
            format!(
                "[package]\nname = \"compile-fail-{edition}\"\nedition = \"{edition}\"\n\n\
                 [dependencies]\ngorun = {{ path = {library:?} }}\n"
            )
        });
        write!(manifest, "\n[[bin]]\nname = \"{name}\"\npath = {path:?}\n").unwrap();
    }
    for (edition, manifest) in &packages {
        fs::create_dir_all(workspace.join(edition)).unwrap();
        fs::write(workspace.join(edition).join("Cargo.toml"), manifest).unwrap();
    }
    let members: Vec<_> = packages.keys().collect();
    fs::write(
        workspace.join("Cargo.toml"),
        format!("[workspace]\nresolver = \"2\"\nmembers = {members:?}\n"),
    )
    .unwrap();
    // The versions that are there, as there may be no network. If the library is itself a member of
    // a workspace, the file is elsewhere, and cargo has to find versions by itself.
    let _ = fs::copy(library.join("Cargo.lock"), workspace.join("Cargo.lock"));

    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--bins", "--keep-going", "--offline"])
        .args(["--color", "never", "--manifest-path"])
        .arg(workspace.join("Cargo.toml"))
        .current_dir(library)
        .env("CARGO_TARGET_DIR", workspace.join("target"))
        // A `-D warnings` of the build at large is not for these.
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env("CARGO_TERM_QUIET", "false")
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_harness_reads_place_and_text_of_a_report() {
    let output = "    Checking gorun v0.1.0\n\
                  error[E0277]: first\n   --> /some/where/a.rs:4:5\n    |\n\
                  4   | f(); //~ error: asked\n    = help: why\n\n\
                  warning: second\n --> tests/b.rs:12:1\n\n\
                  error: could not compile `a` (bin \"a\") due to 1 previous error\n";
    let reports = reports(output);
    let [first] = &reports["a"][..] else { panic!("{reports:?}") };
    assert_eq!((&first.level[..], first.line), ("error", 4));
    assert!(first.text.contains("first") && first.text.contains("why"));
    assert!(!first.text.contains("asked") && !first.text.contains("second"));
    let [second] = &reports["b"][..] else { panic!("{reports:?}") };
    assert_eq!((&second.level[..], second.line), ("warning", 12));
    assert_eq!(reports.len(), 2);
}

#[test]
fn the_harness_rejects_whatever_differs() {
    let wanted = wanted("f(); //~ error: one && two\n//~^ warning: three\n");
    let report = |level: &str, line, text: &str| Report {
        level: level.to_owned(),
        line,
        text: text.to_owned(),
    };
    let error = report("error", 1, "two one");
    let warning = report("warning", 1, "three");
    let fits = |reports: &[Report]| difference(wanted.clone(), reports).is_empty();
    assert!(fits(&[error.clone(), warning.clone()]));
    assert!(!fits(&[]));
    assert!(!fits(std::slice::from_ref(&error)));
    assert!(!fits(&[error.clone(), warning.clone(), warning.clone()]));
    assert!(!fits(&[error.clone(), error.clone(), warning.clone()]));
    assert!(!fits(&[report("error", 1, "one"), warning.clone()]));
    assert!(!fits(&[report("error", 2, "one two"), warning.clone()]));
    assert!(!fits(&[report("warning", 1, "one two"), warning]));
}
