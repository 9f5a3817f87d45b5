//! Text and archives that leave the tool. Pure: the same input gives the same bytes.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter};
use serde::Serialize;
use zip::write::SimpleFileOptions;

use crate::resource::Untrusted;

/// A template that cannot be filled in.
#[derive(Debug, thiserror::Error)]
#[error("template {name}: {problem}")]
pub struct TemplateError {
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub problem: String,
}

/// The text templates, by name.
const TEXTS: &[(&str, &str)] = &[
    ("browser/site.json", include_str!("../../../../templates/browser/site.json")),
    ("jetson/adaptive-power.service", include_str!("../../../../templates/jetson/adaptive-power.service")),
    ("jetson/adaptive-power.sh", include_str!("../../../../templates/jetson/adaptive-power.sh")),
    ("reports/junit.xml", include_str!("../../../../templates/reports/junit.xml")),
    ("reports/report.html", include_str!("../../../../templates/reports/report.html")),
];

/// Files by their names in an archive.
type Files = &'static [(&'static str, &'static str)];

/// The code templates: name to files. `gateway` is the function at the edge without a model, which passes requests on; `inference` is the
/// same function with what embeds, for a package with a model.
const CODE: &[(&str, Files)] = &[
    ("gateway", &[("index.mjs", include_str!("../../../../templates/lambda/gateway/index.mjs"))]),
    (
        "inference",
        &[
            ("encoder.mjs", include_str!("../../../../templates/lambda/gateway/encoder.mjs")),
            ("fallbacks.mjs", include_str!("../../../../templates/lambda/gateway/fallbacks.mjs")),
            ("index.mjs", include_str!("../../../../templates/lambda/gateway/index.mjs")),
            ("inference.mjs", include_str!("../../../../templates/lambda/gateway/inference.mjs")),
            ("inference/static.mjs", include_str!("../../../../templates/lambda/gateway/inference/static.mjs")),
            ("inference/tokens.mjs", include_str!("../../../../templates/lambda/gateway/inference/tokens.mjs")),
            ("inference/vectors.mjs", include_str!("../../../../templates/lambda/gateway/inference/vectors.mjs")),
            ("reply.mjs", include_str!("../../../../templates/lambda/gateway/reply.mjs")),
        ],
    ),
    ("probe", &[("index.mjs", include_str!("../../../../templates/lambda/probe/index.mjs"))]),
];

/// One entry of a page's list of models.
#[derive(Clone, Debug, Serialize)]
pub struct ModelLink {
    /// Name of the model.
    pub name: String,
    /// Path of its pointer.
    pub pointer: String,
}

/// What a page may say.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// Title.
    pub title: Untrusted,
    /// Name of the stack.
    pub stack: String,
    /// The models.
    pub models: Vec<ModelLink>,
}

/// Fills in a text template. A variable that the context lacks is an error.
///
/// # Errors
/// When there is no such template, or it cannot be filled in.
pub fn render<C: Serialize>(name: &str, context: &C) -> Result<String, TemplateError> {
    let bad = |problem: String| TemplateError { name: name.to_owned(), problem };
    let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = TEXTS.iter().map(|(known, _)| *known).collect();
        return Err(bad(format!("there is none; known: {}", known.join(", "))));
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(as_the_file_takes_it);
    environment
        .render_named_str(name, text, minijinja::value::Serde(context))
        .map_err(|problem| bad(format!("{problem:#}")))
}

/// How a value stands in a file is decided by the sort of the file, so that no template can forget it: escaped in HTML and XML, a quoted word
/// for a shell, a plain word in a unit of systemd, where `%`, `$` and blanks mean something.
fn as_the_file_takes_it(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let bad = |why: &str| Error::new(ErrorKind::InvalidOperation, format!("{:?} {why}", value.to_string()));
    match state.name().rsplit('.').next() {
        Some("html" | "xml") => escape_formatter(out, state, value),
        // The filter `tojson` made it: anything else has no form there.
        Some("json") if value.is_safe() => Ok(out.write_str(&value.to_string())?),
        Some("sh" | "service") if value.is_number() => Ok(out.write_str(&value.to_string())?),
        Some("sh") => match Untrusted::from(value.to_string()).shell_word() {
            Ok(word) => Ok(out.write_str(&word)?),
            Err(unfit) => Err(bad(unfit.why)),
        },
        Some("service") => {
            let text = value.to_string();
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-@".contains(letter);
            match !text.is_empty() && text.chars().all(plain) {
                true => Ok(out.write_str(&text)?),
                false => Err(bad("is not a plain word")),
            }
        }
        _ => Err(bad("cannot be inserted in such a file")),
    }
}

/// The files of a code template.
///
/// # Errors
/// When there is no such template.
pub fn code(name: &str) -> Result<Files, TemplateError> {
    CODE.iter().find(|(known, _)| *known == name).map(|(_, files)| *files).ok_or_else(|| {
        let known: Vec<&str> = CODE.iter().map(|(known, _)| *known).collect();
        TemplateError { name: name.to_owned(), problem: format!("unknown code template; known: {}", known.join(", ")) }
    })
}

/// Zips a code template.
///
/// # Errors
/// When there is no such template.
pub fn archive(name: &str) -> Result<Archive, TemplateError> {
    let files = code(name)?.iter().map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec()));
    zipped(name, &files.collect())
}

/// Zips files. Names in order, fixed times and modes: the same bytes on every machine.
///
/// # Errors
/// When the files do not make a zip.
pub fn zipped(name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Archive, TemplateError> {
    let bad = |problem: zip::result::ZipError| TemplateError { name: name.to_owned(), problem: problem.to_string() };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut unpacked = 0;
    for (file, content) in files {
        zip.start_file(file.as_str(), options).map_err(bad)?;
        zip.write_all(content).map_err(|problem| bad(problem.into()))?;
        unpacked += content.len() as u64;
    }
    Ok(Archive { bytes: zip.finish().map_err(bad)?.into_inner(), unpacked })
}

/// A zip and the size of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The zip.
    pub bytes: Vec<u8>,
    /// Bytes when unpacked.
    pub unpacked: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_always_the_same() {
        let first = archive("gateway").expect("the template");
        assert_eq!(first, archive("gateway").expect("the template"));
        assert!(first.unpacked > 500 && first.bytes.starts_with(b"PK"));
    }

    #[test]
    fn a_list_of_models_is_json_whatever_the_title_holds() {
        let link = ModelLink { name: "m".to_owned(), pointer: "/models/m/current.json".to_owned() };
        let title = Untrusted::from_bytes(b"a \"quoted\" </script> title");
        let page = Page { title, stack: "akidb-week13".to_owned(), models: vec![link] };
        let text = render("browser/site.json", &page).expect("the template");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read["title"], "a \"quoted\" </script> title");
        assert_eq!(read["models"], serde_json::json!([{"name": "m", "pointer": "/models/m/current.json"}]));
    }

    #[test]
    fn the_gateway_is_the_same_function_as_the_one_that_embeds() {
        let alone = code("gateway").expect("the template");
        let whole = code("inference").expect("the template");
        assert!(alone.iter().all(|file| whole.contains(file)));
        // Each file that is imported from beside another one is there.
        for (_, text) in whole {
            for imported in text.split("from './").skip(1) {
                let (name, _) = imported.split_once('\'').expect("the end of a name");
                let found = whole.iter().any(|(file, _)| *file == name || *file == format!("inference/{name}"));
                assert!(found, "{name} is in no package");
            }
        }
        assert!(code("nowhere").is_err() && archive("nowhere").is_err());
    }

    #[test]
    fn a_value_stays_a_value_in_every_sort_of_file() {
        let power = |modes: &str| {
            let context = serde_json::json!({"modes": modes, "busy": 60, "idle_seconds": 120});
            render("jetson/adaptive-power.sh", &context)
        };
        let text = power("15W 25W").expect("a script");
        assert!(text.contains("\nmodes='15W 25W'\nbusy=60\nidle_seconds=120\n"), "{text}");
        let hostile = power("15W'; id; '").expect("a script");
        assert!(hostile.contains(&["modes=", "'15W'", r"\", "''; id; '", r"\", "'", "'", "'"].concat()), "{hostile}");
        assert!(power("15W\nid").is_err());
        let unit = |program: &str| render("jetson/adaptive-power.service", &serde_json::json!({"program": program}));
        assert!(unit("/usr/local/sbin/x").expect("a unit").contains("\nExecStart=/usr/local/sbin/x\n"));
        for hostile in ["/x %h", "/x\nExecStartPre=/bin/id", "/$x", ""] {
            assert!(unit(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn an_unknown_variable_is_an_error() {
        #[derive(Serialize)]
        struct Little {
            title: &'static str,
        }
        assert!(render("reports/report.html", &Little { title: "x" }).is_err());
        assert!(render("nowhere", &Little { title: "x" }).is_err());
    }
}
