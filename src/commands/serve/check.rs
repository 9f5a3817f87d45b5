//! `serve --check`: shows every setting with its source, and all problems.

use serde_json::{Value as Json, json};

use crate::commands::Context;
use crate::exit::{DONE, Failure, REFUSED, codes};
use crate::resource::{SafeText, shown};
use crate::serve::config::former;
use crate::serve::config::layers::{ConfigError, Layers};
use crate::serve::config::redacted;

/// Shows the settings, then what is wrong.
///
/// # Errors
/// Something is wrong: all of it at once.
pub fn show(layers: &Layers, wrong: &[ConfigError], context: &Context) -> Result<u8, Failure> {
    if context.printer.json {
        let settings: serde_json::Map<String, Json> = layers
            .all()
            .flat_map(|(setting, value)| {
                let texts: Vec<String> = value.texts.iter().map(|text| redacted(text)).collect();
                let said = json!({"value": texts.join(","), "from": value.origin.to_string()});
                // The former names stay in the document for as long as they are accepted.
                let names = std::iter::once(setting.name).chain(former::of(setting).map(|row| row.former));
                names.map(|name| (name.to_owned(), said.clone())).collect::<Vec<_>>()
            })
            .collect();
        let problems: Vec<Json> =
            wrong.iter().map(|wrong| json!({"place": wrong.place, "problem": wrong.why})).collect();
        context.printer.json("serve-check", &json!({"settings": settings, "problems": problems}));
    } else {
        for (setting, value) in layers.all() {
            let texts: Vec<String> = value.texts.iter().map(|text| redacted(text)).collect();
            let text = if texts.is_empty() { "-".to_owned() } else { texts.join(",") };
            context.printer.data(shown!("{:<26} {:<34} {}", setting.name, text, value.origin));
        }
    }
    match wrong {
        [] => Ok(DONE),
        // The document contains the problems, and only one document is printed.
        _ if context.printer.json => Ok(REFUSED),
        wrong => Err(refused(wrong)),
    }
}

/// All that is wrong, as one refusal.
pub fn refused(wrong: &[ConfigError]) -> Failure {
    let count = wrong.len();
    let things = if count == 1 { "thing" } else { "things" };
    let list: Vec<SafeText> = wrong.iter().map(|wrong| shown!("  {}", wrong)).collect();
    codes::SETTINGS.refused(
        shown!("the configuration has {} {} to correct\n{}", count, things, SafeText::join(&list, "\n")),
        "akidb-edge serve --check shows every setting and where it comes from",
    )
}
