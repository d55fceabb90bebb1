//! That the table of Go's tests, `tests/go_tests.md`, says the truth about the tests that are here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files whose every test is there because Go has one.
const MIRRORS: [&str; 10] = [
    "channel::go_tests",
    "channel::power_series",
    "context::go_tests",
    "errgroup::go_tests",
    "select::go_tests",
    "select::programs",
    "select::statements",
    "sim::go_tests",
    "sync::go_tests",
    "time::go_tests",
];

struct Row {
    section: String,
    /// The Go tests that it is about.
    go: Vec<String>,
    hazard: String,
    /// Mirrored or cannot apply, and what is said about it.
    status: String,
    rest: String,
}

impl Row {
    /// The tests it names.
    fn tests(&self) -> Vec<String> {
        let mut names = quoted(&self.rest);
        names.retain(|name| name.contains("::"));
        names
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn tests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn rows(table: &str) -> Vec<Row> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in table.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.to_owned();
        }
        let is_head = line.starts_with("|---") || line.starts_with("| Go test ");
        let Some(line) = line.strip_prefix('|').filter(|_| !is_head) else { continue };
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [go, hazard, here, ""] = cells[..] else { panic!("not three cells: {line}") };
        let (status, rest) = here.split_once(": ").unwrap_or_else(|| panic!("no status: {here}"));
        rows.push(Row {
            section: section.clone(),
            go: quoted(go),
            hazard: hazard.to_owned(),
            status: status.to_owned(),
            rest: rest.to_owned(),
        });
    }
    rows
}

fn table() -> Vec<Row> {
    rows(&fs::read_to_string(tests_dir().join("go_tests.md")).unwrap())
}

/// The file of a module of a test binary, if the binary has that module.
fn file(module: &str) -> Option<PathBuf> {
    let path = tests_dir().join(module.replace("::", "/")).with_extension("rs");
    if let Some((binary, inner)) = module.split_once("::") {
        let main = fs::read_to_string(tests_dir().join(binary).with_extension("rs")).ok()?;
        main.lines().find(|line| *line == format!("mod {inner};"))?;
    }
    path.exists().then_some(path)
}

/// The comments and attributes in front of each test of a source text, by its name.
fn tests_in(source: &str) -> Vec<(String, String)> {
    let mut tests = Vec::new();
    let mut front = String::new();
    for line in source.lines() {
        if line.starts_with("///") || line.starts_with("#[") {
            front.push_str(line);
            front.push('\n');
            continue;
        }
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.strip_suffix("() {"))
            && front.lines().any(|line| line == "#[test]")
        {
            tests.push((name.to_owned(), front.clone()));
        }
        front.clear();
    }
    tests
}

/// What is said in front of a test, if there is one of that name.
fn find(test: &str) -> Option<String> {
    let (module, name) = test.rsplit_once("::").unwrap();
    if module == "compile_fail" {
        // Each program is a test, which `compile_fail.rs` sees to.
        return fs::read_to_string(tests_dir().join(module).join(name).with_extension("rs")).ok();
    }
    let source = fs::read_to_string(file(module)?).unwrap();
    tests_in(&source).into_iter().find(|test| test.0 == name).map(|test| test.1)
}

#[test]
fn a_test_that_the_table_names_exists_and_names_the_go_test() {
    for row in table().iter().filter(|row| row.status == "mirrored") {
        let tests = row.tests();
        assert!(!tests.is_empty(), "{:?} is mirrored by nothing", row.go);
        for (index, test) in tests.iter().enumerate() {
            let front = find(test).unwrap_or_else(|| panic!("there is no test {test}"));
            for go in row.go.iter().filter(|_| index == 0) {
                assert!(front.contains(go), "{test} does not say that it mirrors {go}:\n{front}");
            }
        }
    }
}

#[test]
fn a_row_says_what_the_hazard_is_and_what_became_of_it() {
    let mut seen = BTreeSet::new();
    for row in table() {
        assert!(!row.go.is_empty() && !row.hazard.is_empty() && !row.rest.is_empty());
        assert!(["mirrored", "cannot apply"].contains(&&*row.status), "{}", row.status);
        for go in &row.go {
            assert!(seen.insert((row.section.clone(), go.clone())), "{go} has two rows");
        }
    }
    assert!(seen.len() > 100, "{} of Go's tests", seen.len());
}

#[test]
fn each_test_that_mirrors_gos_is_in_the_table() {
    let table: BTreeSet<_> = table().iter().flat_map(Row::tests).collect();
    for module in MIRRORS {
        let source = fs::read_to_string(file(module).unwrap()).unwrap();
        let tests = tests_in(&source);
        assert!(!tests.is_empty(), "{module}");
        for (name, _) in tests {
            let test = format!("{module}::{name}");
            assert!(table.contains(&test), "{test} is not in the table");
        }
    }
}

#[test]
fn the_check_finds_what_is_missing() {
    assert!(find("channel::go_tests::no_such_test").is_none());
    assert!(find("channel::no_such_module::a_hundred_numbers_arrive_in_order").is_none());
    assert!(find("no_such_binary::a_hundred_numbers_arrive_in_order").is_none());
    // Helpers are no tests.
    assert!(find("channel::go_tests::pause").is_none());
    assert!(find("compile_fail::no_such_program").is_none());
    let front = find("channel::go_tests::a_hundred_numbers_arrive_in_order").unwrap();
    assert!(front.contains("TestChan") && !front.contains("TestNonblockRecvRace"));

    let rows = rows(
        "## `a`\n\n| Go test | hazard | here |\n|---|---|---|\n\
         | `B`, `C` | d | mirrored: `e::f` and `g` |\n",
    );
    let [row] = &rows[..] else { panic!("one row") };
    assert_eq!((&*row.section, &*row.hazard, &*row.status), ("`a`", "d", "mirrored"));
    assert_eq!((row.go.clone(), row.tests()), (quoted("`B` `C`"), quoted("`e::f`")));
}
