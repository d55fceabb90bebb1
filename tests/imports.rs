//! Files import downwards only: neither files nor the rooms of the crate import each other in a circle.
//!
//! The test reads every `use`, and every path that begins with `crate`, `super`, or a module of the file's
//! own. Tests inside files may import what they like. `cargo test --test imports -- --nocapture` shows
//! the graph: files of a layer import files of lower layers alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The text of each file, under the path of its module, such as `crate::chan::core`.
type Sources = BTreeMap<String, String>;

/// What each file imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn sources() -> Sources {
    let mut sources = Sources::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "crate", &mut sources);
    sources
}

fn collect(folder: &Path, module: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let child = format!("{module}::{name}");
        if path.is_dir() {
            collect(&path, &child, sources);
        } else {
            let module = if matches!(name, "lib" | "mod") { module.to_owned() } else { child };
            sources.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

fn graph(sources: &Sources) -> Graph {
    let is_shipped = |module: &&String| !module.ends_with("::tests") && *module != "crate";
    let modules = sources.keys().filter(is_shipped);
    modules.map(|module| (module.clone(), imports(module, sources))).collect()
}

fn imports(module: &str, sources: &Sources) -> BTreeSet<String> {
    let code = code_of(&sources[module]);
    let mut paths = Vec::new();
    let mut rest = String::new();
    for (place, part) in code.split("use ").enumerate() {
        let is_import = place > 0 && part.contains(';');
        let (import, after) = if is_import { part.split_once(';').unwrap() } else { ("", part) };
        expand("", &import.split_whitespace().collect::<Vec<_>>().join(" "), &mut paths);
        rest.push_str(after);
    }
    let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    paths.extend(
        rest.split(|c| !is_of_path(c)).filter(|path| path.contains("::")).map(str::to_owned),
    );
    let found = paths.iter().filter_map(|path| resolve(path, module, sources));
    found.filter(|found| found != module).collect()
}

/// Without comments and the tests at the end.
fn code_of(source: &str) -> String {
    let lines = source.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join("\n").replace("$crate", "");
    let tests = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..tests].to_owned()
}

/// `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(before: &str, import: &str, paths: &mut Vec<String>) {
    let Some((path, list)) = import.split_once('{') else {
        let path = import.split(" as ").next().unwrap().trim();
        if !path.is_empty() {
            paths.push(format!("{before}{path}"));
        }
        return;
    };
    let before = format!("{before}{}", path.trim());
    let list = list.rsplit_once('}').map_or(list, |(list, _)| list);
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, list[begin..at].trim(), paths);
                begin = at + 1;
            }
            _ => {}
        }
    }
}

/// The file in which a path ends, if it is one of ours.
fn resolve(path: &str, module: &str, sources: &Sources) -> Option<String> {
    let mut parts = path.split("::").peekable();
    let mut found = match *parts.peek()? {
        "crate" => {
            parts.next();
            "crate".to_owned()
        }
        "super" | "self" => module.to_owned(),
        child if sources.contains_key(&format!("{module}::{child}")) => module.to_owned(),
        _ => return None,
    };
    while let Some(part @ ("super" | "self")) = parts.peek().copied() {
        parts.next();
        if part == "super" {
            found.truncate(found.rfind("::")?);
        }
    }
    // A folder whose module is a file beside it is met on the way.
    for part in parts {
        let next = format!("{found}::{part}");
        if !sources.contains_key(&next) {
            break;
        }
        found = next;
    }
    Some(found)
}

/// The same graph with the rooms of the crate, such as `crate::chan`, for the files in them. (Folders
/// deeper down may import each other: what all share uses the leaves of each.)
fn rooms(graph: &Graph) -> Graph {
    let room = |module: &str| module.split("::").take(2).collect::<Vec<_>>().join("::");
    let mut rooms = Graph::new();
    for (module, imports) in graph {
        let from = room(module);
        let imports = imports.iter().map(|import| room(import)).filter(|to| *to != from);
        rooms.entry(from.clone()).or_default().extend(imports);
    }
    rooms
}

/// Layer by layer, each of files that import lower ones alone; and what is left, if there is a circle.
fn layers(mut graph: Graph) -> (Vec<Vec<String>>, Graph) {
    let mut layers = Vec::new();
    loop {
        let is_lowest =
            |imports: &BTreeSet<String>| !imports.iter().any(|to| graph.contains_key(to));
        let lowest = graph.iter().filter(|(_, imports)| is_lowest(imports));
        let lowest: Vec<_> = lowest.map(|(module, _)| module.clone()).collect();
        if lowest.is_empty() {
            return (layers, graph);
        }
        lowest.iter().for_each(|module| _ = graph.remove(module));
        layers.push(lowest);
    }
}

/// What a file reaches by imports, and imports of imports.
fn reach<'a>(graph: &'a Graph, module: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = graph[module].iter().map(String::as_str).collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(graph.get(module).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}

/// Who reaches itself, and by what.
fn circle(graph: &Graph) -> String {
    let is_in_one = |module: &str| reach(graph, module).contains(module);
    let in_one: BTreeSet<_> = graph.keys().filter(|module| is_in_one(module)).collect();
    let mut text = String::new();
    for module in &in_one {
        let imports = graph[*module].iter().filter(|import| in_one.contains(import));
        let imports = imports.cloned().collect::<Vec<_>>().join(", ");
        text += &format!("  {module} imports {imports}\n");
    }
    text
}

fn check(sources: &Sources) -> Result<(), String> {
    let graph = graph(sources);
    if let Some((module, _)) = graph.iter().find(|(_, imports)| imports.contains("crate")) {
        return Err(format!("{module} imports from the root of the crate, which imports it"));
    }
    for graph in [&graph, &rooms(&graph)] {
        let circle = circle(graph);
        if !circle.is_empty() {
            return Err(format!("a circle:\n{circle}"));
        }
    }
    Ok(())
}

#[test]
fn no_file_or_room_imports_another_in_a_circle() {
    let sources = sources();
    for (number, layer) in layers(graph(&sources)).0.iter().enumerate() {
        println!("{number:>2}: {}", layer.join(" ").replace("crate::", ""));
    }
    if let Err(error) = check(&sources) {
        panic!("{error}");
    }
}

fn planted(files: &[(&str, &str)]) -> Result<(), String> {
    let owned = |&(module, text): &(&str, &str)| (format!("crate::{module}"), text.to_owned());
    check(&files.iter().map(owned).collect())
}

#[test]
fn planted_circles_are_found() {
    let fine = [
        ("a", "use crate::b::{self, c::{D as E}};"),
        ("b", "mod c;\npub use c::D;"),
        ("b::c", "// crate::a\npub struct D;\n#[cfg(test)]\nmod tests { use crate::a; }"),
    ];
    assert_eq!(planted(&fine), Ok(()));
    for (module, text) in [
        ("b::c", "use crate::a;"),
        ("b::c", "use std::{\n    fmt,\n};\nuse crate::{\n    a::F,\n};"),
        ("b::c", "fn f() { crate::a::f() }"),
        ("b::c", "fn f() { super::super::a::f() }"),
        ("b::c", "use super::D;"),
        ("b::c", "use crate::D;"),
        ("b", "mod c;\nfn f() { c::f() }\nuse crate::a;"),
    ] {
        let mut files = fine;
        files.iter_mut().find(|(name, _)| *name == module).unwrap().1 = text;
        assert!(planted(&files).is_err(), "not found: {text}");
    }
    // No file imports another one in a circle, but rooms do.
    let rooms = [
        ("a", ""),
        ("a::w", ""),
        ("a::x", "use crate::b::y;"),
        ("b", ""),
        ("b::y", ""),
        ("b::z", "use crate::a::w;"),
    ];
    assert!(planted(&rooms).unwrap_err().starts_with("a circle"));
    let in_one_room = |&(module, text): &(&str, &str)| {
        (format!("crate::c::{module}"), text.replace("crate", "crate::c"))
    };
    let root = [("crate::c".to_owned(), String::new())];
    assert_eq!(check(&rooms.iter().map(in_one_room).chain(root).collect()), Ok(()));
}

/// The files that the layout in the design names, as modules.
fn layout() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/design.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## Layout\n").unwrap();
    let list = section.split("```").nth(1).unwrap();
    let module = |line: &str, file: &str| {
        let room = if line.starts_with(' ') { "crate::scheduler::" } else { "crate::" };
        let path = file.strip_suffix(".rs").unwrap().replace('/', "::");
        let path = path.strip_suffix("::mod").unwrap_or(&path);
        if path == "lib" { "crate".to_owned() } else { format!("{room}{path}") }
    };
    let files = |line| str::split_whitespace(line).filter(|word| word.ends_with(".rs"));
    list.lines().flat_map(|line| files(line).map(move |file| module(line, file))).collect()
}

#[test]
fn the_design_names_each_file() {
    let sources = sources();
    let shipped = sources.keys().filter(|module| !module.ends_with("::tests")).cloned();
    assert_eq!(layout(), shipped.collect());
}

/// Who reads a file keeps it in mind as a whole.
#[test]
fn no_file_is_long() {
    for (module, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 450, "{module} has {lines} lines: find the second noun in it");
    }
}
