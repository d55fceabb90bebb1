//! That no unsafe code comes in unnoticed: `docs/design.md` says which files have how much of it, and
//! every other file forbids it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::task::RawWakerVTable;

use async_task::{Builder, Runnable};

const HEADING: &str = "## Unsafe code";
const FORBID: &str = "#![forbid(unsafe_code)]";
const ALLOW: &str = "#![allow(unsafe_code)]";
const DENY: &str = "#![deny(unsafe_code)]";

#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    blocks: usize,
    impls: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each file of `src`, named as in the table, with its text.
fn sources() -> BTreeMap<String, String> {
    fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    let named = |path: PathBuf| {
        let parts = path.strip_prefix(root()).unwrap().iter();
        let name = parts.map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("/");
        (name, fs::read_to_string(&path).unwrap())
    };
    files.into_iter().map(named).collect()
}

/// The first table of the section.
fn table() -> BTreeMap<String, Figures> {
    let page = fs::read_to_string(root().join("docs/design.md")).unwrap();
    let lines = page.lines().skip_while(|line| *line != HEADING);
    let rows = lines.skip_while(|line| !line.starts_with('|')).take_while(|l| l.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [file, blocks, impls] = cells[..] else { panic!("not three cells: {line}") };
        let figure = |cell: &str| cell.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let figures = Figures { blocks: figure(blocks), impls: figure(impls) };
        (file.trim_matches('`').to_owned(), figures)
    };
    rows.skip(2).map(row).collect()
}

/// What begins with the word `unsafe`, outside of comments and of lines of documentation that an attribute
/// has. Fails at any that is neither a block nor
/// an impl: there are no unsafe functions, traits or attributes here.
fn count(name: &str, text: &str) -> Figures {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("#[doc = "));
    let code = lines.map(|line| line.split("//").next().unwrap());
    let code = code.collect::<Vec<_>>().join("\n");
    let is_in_a_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut figures = Figures::default();
    for (at, word) in code.match_indices("unsafe") {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        if before.ends_with(is_in_a_word) || after.starts_with(is_in_a_word) {
            continue;
        }
        match after.trim_start() {
            rest if rest.starts_with('{') => figures.blocks += 1,
            rest if rest.starts_with("impl") => figures.impls += 1,
            _ => panic!("{name}: neither a block nor an impl, in line {}", before.lines().count()),
        }
    }
    figures
}

fn says(text: &str, attribute: &str) -> bool {
    text.lines().any(|line| line == attribute)
}

/// Whether one of the files is in a module below that of `name`, which may not forbid, then.
fn is_above_one_of(name: &str, files: &BTreeMap<String, Figures>) -> bool {
    let directory = match name.strip_suffix("/mod.rs") {
        Some(directory) => directory,
        None if name == "src/lib.rs" => "src",
        None => name.strip_suffix(".rs").unwrap(),
    };
    files.keys().any(|file| file.starts_with(&format!("{directory}/")))
}

#[test]
fn each_file_has_as_much_unsafe_code_as_the_design_says() {
    let sources = sources();
    let found = sources.iter().map(|(name, text)| (name.clone(), count(name, text)));
    let found: BTreeMap<_, _> = found.filter(|(_, f)| *f != Figures::default()).collect();
    assert_eq!(found, table(), "in `src`, and in the table of docs/design.md");
}

#[test]
fn every_other_file_forbids_unsafe_code() {
    let (sources, table) = (sources(), table());
    assert!(says(&sources["src/lib.rs"], DENY), "src/lib.rs has to say {DENY}");
    for (name, text) in &sources {
        let may = table.contains_key(name);
        assert_eq!(says(text, ALLOW), may, "whether {name} says {ALLOW}");
        let has_to_forbid = !may && !is_above_one_of(name, &table);
        assert_eq!(says(text, FORBID), has_to_forbid, "whether {name} says {FORBID}");
    }
}

/// What `src/scheduler/goroutine/task.rs` relies on and async-task does not document: the data of a
/// goroutine's wakers is the address that `into_raw` gives. Their vtable, and the distance from there to
/// the metadata, are the same for all goroutines of one type.
#[test]
fn a_new_layout_of_async_task_is_noticed() {
    #[repr(align(64))]
    struct Aligned(#[allow(dead_code)] u8);
    fn layout_of<T: Send + 'static>(value: T) -> (&'static RawWakerVTable, usize) {
        let future = async move || {
            let kept = value;
            std::future::pending::<()>().await;
            kept
        };
        let (runnable, _task) = Builder::new().metadata(7_u64).spawn(move |_| future(), |_| {});
        let waker = runnable.waker();
        let distance = std::ptr::from_ref(runnable.metadata()).addr() - waker.data().addr();
        let address = runnable.into_raw();
        assert_eq!(waker.data(), address.as_ptr().cast_const());
        // SAFETY: the address was made by `into_raw` just now, with this metadata.
        drop(unsafe { Runnable::<u64>::from_raw(address) });
        (waker.vtable(), distance)
    }
    fn check<T: Send + Clone + 'static>(value: T) {
        let (first, second) = (layout_of(value.clone()), layout_of(value));
        assert!(std::ptr::eq(first.0, second.0), "two vtables for one type");
        assert_eq!(first.1, second.1, "two distances for one type");
    }
    check(());
    check(vec![1_u8]);
    check([0_u64; 1000]);
    check(std::sync::Arc::new(Aligned(1)));
}
