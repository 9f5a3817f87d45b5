//! The words that were typed so far.

/// The words of a command line, without what a shell divided them at.
#[derive(Clone, Debug, Default)]
pub struct Typed(Vec<String>);

impl Typed {
    /// What a shell hands over behind `--`.
    pub fn now() -> Self {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        Self::of(words.skip_while(|word| word != "--").skip(1))
    }

    /// These words. Bash makes words of their own of `=` and `:`.
    pub fn of(words: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = Vec::new();
        let mut is_divided = false;
        for word in words {
            let divides = word == "=" || word == ":";
            match all.last_mut().filter(|_| divides || is_divided) {
                Some(last) => last.push_str(&word),
                None => all.push(word),
            }
            is_divided = divides;
        }
        Self(all)
    }

    /// The last value of a flag: `--plan X`, `--plan=X`.
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.values(flag).last()
    }

    /// All values of a flag.
    pub fn values<'t>(&'t self, flag: &str) -> impl Iterator<Item = &'t str> {
        let words = &self.0;
        words.iter().enumerate().filter_map(move |(at, word)| match word.strip_prefix(flag) {
            Some("") => words.get(at + 1).map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        })
    }

    /// The word behind these words: of `validate plan`, the file.
    pub fn behind(&self, words: &[&str]) -> Option<&str> {
        let at =
            self.0.windows(words.len()).position(|some| some.iter().zip(words).all(|(one, other)| one == other))?;
        let word = self.0.get(at + words.len())?.as_str();
        (!word.starts_with('-') && !word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &str) -> Typed {
        Typed::of(words.split(' ').map(str::to_owned))
    }

    #[test]
    fn values_are_found_however_a_shell_divides_them() {
        for words in
            ["x --plan week13 --state file:a", "x --plan=week13 --state=file:a", "x --plan = week13 --state file : a"]
        {
            let typed = typed(words);
            assert_eq!((typed.value("--plan"), typed.value("--state")), (Some("week13"), Some("file:a")), "{words}");
        }
        let typed = typed("x --var a=1 --var b = 2 --plan");
        assert_eq!(typed.values("--var").collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert_eq!((typed.value("--plan"), typed.value("--va")), (None, None));
    }

    #[test]
    fn the_word_behind_a_verb_is_no_flag() {
        assert_eq!(typed("x validate plan p.yaml --json").behind(&["validate", "plan"]), Some("p.yaml"));
        assert_eq!(typed("x validate plan --plan p.yaml").behind(&["validate", "plan"]), None);
        assert_eq!(typed("x status").behind(&["validate", "plan"]), None);
    }
}
