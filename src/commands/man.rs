//! `man`: man pages of the verbs, generated from the definitions of the help.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use super::{Context, read_bounded};
use crate::cli::Cli;
use crate::exit::{self, Failure, codes};
use crate::report;
use crate::resource::{SafeText, shown};

/// Section of the manual: user commands.
const SECTION: &str = "1";

/// Print a man page, or write those of all verbs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The verb, for example `deploy` or `jetson provision`; without it, the tool itself
    #[arg(value_name = "VERB", conflicts_with = "out")]
    words: Vec<String>,
    /// Write the pages of all verbs to this directory
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<std::path::PathBuf>,
}

/// A man page: the name of its file and its text.
struct Page {
    file: String,
    text: String,
}

/// Prints the page, or writes all of them.
///
/// # Errors
/// When there is no such verb, or a file cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let root = root();
    if let Some(folder) = &args.out {
        return write_all(&root, folder, context);
    }
    let page = page(verb(&root, &args.words)?).map_err(|why| no_page(&why))?;
    if context.printer.json {
        context.printer.json("man", &json!({"file": page.file, "text": page.text}));
    } else {
        report::put(SafeText::document(page.text.trim_end()));
    }
    Ok(exit::DONE)
}

/// The command line as the help shows it, without `help`, which is not a verb of this program.
fn root() -> Command {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    root
}

/// The verb of these words.
fn verb<'c>(root: &'c Command, words: &[String]) -> Result<&'c Command, Failure> {
    let below = |at: &'c Command, word: &String| at.find_subcommand(word).filter(|verb| !verb.is_hide_set());
    words.iter().try_fold(root, below).ok_or_else(|| {
        codes::UNKNOWN_NAME.refused(
            shown!("there is no verb {}, so it has no man page", words.join(" ")),
            "akidb-edge --help lists the verbs",
        )
    })
}

/// The page of a verb.
fn page(command: &Command) -> std::io::Result<Page> {
    let version = concat!("akidb-edge ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).section(SECTION).source(version).manual("akidb-edge manual");
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok(Page { file: man.get_filename(), text: String::from_utf8_lossy(&text).into_owned() })
}

/// The pages of a command and of all verbs below it that the help shows.
fn pages(command: &Command, all: &mut Vec<Page>) -> std::io::Result<()> {
    all.push(page(command)?);
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).try_for_each(|verb| pages(verb, all))
}

/// Writes the pages of all verbs.
fn write_all(root: &Command, folder: &Path, context: &Context) -> Result<u8, Failure> {
    let mut all = Vec::new();
    pages(root, &mut all).map_err(|why| no_page(&why))?;
    // Nothing is written until nothing stands in the way.
    for page in &all {
        may_replace(&folder.join(&page.file))?;
    }
    let failed = |path: &Path, why: &std::io::Error| {
        codes::OUTPUT_FILE.refused(
            shown!("{} cannot be written: {}", path.display(), why),
            "name a directory that can be written to, with --out",
        )
    };
    fs::create_dir_all(folder).map_err(|why| failed(folder, &why))?;
    for page in &all {
        let file = folder.join(&page.file);
        fs::write(&file, &page.text).map_err(|why| failed(&file, &why))?;
    }
    let files: Vec<&str> = all.iter().map(|page| page.file.as_str()).collect();
    if context.printer.json {
        context.printer.json("man", &json!({"directory": folder.display().to_string(), "files": files}));
    } else {
        context.printer.talk(shown!("{} man pages written to {}", files.len(), folder.display()));
    }
    Ok(exit::DONE)
}

/// Refuses to replace a file that is not a man page of this program.
fn may_replace(file: &Path) -> Result<(), Failure> {
    let Ok(bytes) = read_bounded(file) else { return Ok(()) };
    if bytes.is_empty() || String::from_utf8_lossy(&bytes).contains(".TH akidb-edge") {
        return Ok(());
    }
    Err(codes::OUTPUT_FILE.refused(
        shown!("{} exists and is not a man page of akidb-edge; nothing was written", file.display()),
        "name another directory with --out",
    ))
}

fn no_page(why: &std::io::Error) -> Failure {
    codes::OUTPUT_FILE.refused(shown!("the man page cannot be made: {}", why), "report this as a bug")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_that_help_shows_has_a_page() {
        let mut all = Vec::new();
        pages(&root(), &mut all).expect("the pages are made in memory");
        let files: Vec<&str> = all.iter().map(|page| page.file.as_str()).collect();
        for wanted in ["akidb-edge.1", "akidb-edge-deploy.1", "akidb-edge-jetson-provision.1", "akidb-edge-man.1"] {
            assert!(files.contains(&wanted), "{wanted} in {files:?}");
        }
        for hidden in ["akidb-edge-known-host.1", "akidb-edge-try-model.1", "akidb-edge-help.1"] {
            assert!(!files.contains(&hidden), "{hidden} in {files:?}");
        }
        let deploy = all.iter().find(|page| page.file == "akidb-edge-deploy.1").expect("it was found above");
        for part in
            [".TH akidb-edge-deploy 1", ".SH NAME", "akidb\\-edge\\-deploy \\- ", "dry\\-run", "AKIDB_EDGE_STATE"]
        {
            assert!(deploy.text.contains(part), "{part} in {}", deploy.text);
        }
        assert!(!deploy.text.contains("route53\\-rate"), "a hidden flag is in the page: {}", deploy.text);
    }

    #[test]
    fn a_file_of_somebody_else_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("akidb-edge-deploy.1");
        assert!(may_replace(&file).is_ok(), "it is not there yet");
        fs::write(&file, "notes").expect("a file");
        assert!(may_replace(&file).is_err());
        let root = root();
        let words = ["deploy".to_owned()];
        let page = page(verb(&root, &words).expect("a verb")).expect("a page");
        fs::write(&file, page.text).expect("a file");
        assert!(may_replace(&file).is_ok());
    }

    #[test]
    fn a_verb_that_is_not_there_or_is_hidden_has_no_page() {
        let root = root();
        for words in [&["deplo"][..], &["known-host"], &["deploy", "deploy"], &["help"]] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert!(verb(&root, &words).is_err(), "{words:?}");
        }
    }
}
