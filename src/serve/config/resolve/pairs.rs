//! Settings that are pairs: other names of models, servers of other regions.

use std::collections::BTreeMap;

use super::{InvalidValue, Reader};
use crate::serve::health::Peer;

impl Reader<'_> {
    pub(super) fn aliases(&mut self) -> BTreeMap<String, String> {
        let mut aliases = BTreeMap::new();
        for text in self.layers.texts("model-alias").to_vec() {
            let Some((name, model)) =
                text.split_once('=').filter(|(name, model)| !name.is_empty() && !model.is_empty())
            else {
                self.wrong("model-alias", InvalidValue::new(&text, "NAME=MODEL").to_string());
                continue;
            };
            if aliases.insert(name.to_owned(), model.to_owned()).is_some_and(|before| before != model) {
                self.wrong("model-alias", format!("{name} is given twice, for two models"));
            }
        }
        aliases
    }

    pub(super) fn peers(&mut self) -> Vec<Peer> {
        let texts: Vec<String> = self.layers.texts("peer").to_vec();
        let parsed = texts.iter().map(|text| text.parse::<Peer>());
        let (good, bad): (Vec<_>, Vec<_>) = parsed.partition(Result::is_ok);
        for why in bad.into_iter().filter_map(Result::err) {
            self.wrong("peer", why.to_string());
        }
        good.into_iter().filter_map(Result::ok).collect()
    }
}
