//! The little of HCL that a configuration needs, laid out as `terraform fmt` does it.

use serde_json::Value;

/// Around an expression inside a text. Noncharacters of Unicode: no text that is exchanged has them.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// A text that stands for an expression (`aws_iam_role.gateway.arn`), alone or inside a longer text.
pub fn expression(code: &str) -> Value {
    Value::String(format!("{OPEN}{code}{CLOSE}"))
}

/// The inside of a file or block.
#[derive(Clone, Debug, Default)]
pub struct Body(Vec<Line>);

#[derive(Clone, Debug)]
enum Line {
    Remark(String),
    Setting(String, String),
    Block(String, Body),
    Gap,
}

impl Body {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A setting.
    #[must_use]
    pub fn set(self, name: &str, value: impl Into<Value>) -> Self {
        let text = written(&value.into(), 0);
        self.with(Line::Setting(name.to_owned(), text))
    }

    /// A setting, when it is stated.
    #[must_use]
    pub fn set_some<T: Into<Value>>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A setting that is code, not a value.
    #[must_use]
    pub fn code(self, name: &str, code: &str) -> Self {
        self.with(Line::Setting(name.to_owned(), code.to_owned()))
    }

    /// A setting that is a text of JSON: written as an object.
    #[must_use]
    pub fn json(self, name: &str, value: &Value) -> Self {
        self.with(Line::Setting(name.to_owned(), format!("jsonencode({})", written(value, 0))))
    }

    /// A block, set off from what comes before.
    #[must_use]
    pub fn block(mut self, head: &str, body: Self) -> Self {
        if !self.0.is_empty() && !matches!(self.0.last(), Some(Line::Remark(_) | Line::Gap)) {
            self.0.push(Line::Gap);
        }
        self.with(Line::Block(head.to_owned(), body))
    }

    /// Several blocks.
    #[must_use]
    pub fn blocks(self, head: &str, bodies: impl IntoIterator<Item = Self>) -> Self {
        bodies.into_iter().fold(self, |body, one| body.block(head, one))
    }

    /// A remark on a line of its own.
    #[must_use]
    pub fn remark(mut self, text: &str) -> Self {
        if matches!(self.0.last(), Some(Line::Block(..))) {
            self.0.push(Line::Gap);
        }
        // A line break would end the remark and make the rest code.
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.with(Line::Remark(text))
    }

    /// An empty line.
    #[must_use]
    pub fn gap(self) -> Self {
        self.with(Line::Gap)
    }

    /// What is in another body, after an empty line.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.push(Line::Gap);
        self.0.extend(other.0);
        self
    }

    fn with(mut self, line: Line) -> Self {
        self.0.push(line);
        self
    }

    /// As text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let pad = "  ".repeat(depth);
        for (at, line) in self.0.iter().enumerate() {
            match line {
                Line::Gap => out.push('\n'),
                Line::Remark(text) => {
                    out.push_str(format!("{pad}# {text}").trim_end());
                    out.push('\n');
                }
                Line::Setting(name, value) => {
                    let width = self.width(at);
                    let value = value.replace('\n', &format!("\n{pad}"));
                    out.push_str(&format!("{pad}{name:width$} = {value}\n"));
                }
                Line::Block(head, body) if body.0.is_empty() => out.push_str(&format!("{pad}{head} {{}}\n")),
                Line::Block(head, body) => {
                    out.push_str(&format!("{pad}{head} {{\n"));
                    body.write(out, depth + 1);
                    out.push_str(&format!("{pad}}}\n"));
                }
            }
        }
    }

    /// How wide the names of the settings around this one are: those of one line each, side by side.
    fn width(&self, at: usize) -> usize {
        let name = |line: &Line| match line {
            Line::Setting(name, value) if !value.contains('\n') => Some(name.len()),
            _ => None,
        };
        group_width(&self.0, at, name)
    }
}

/// The widest name in the run of one-line settings that the one at `at` is in; 0 when it stands alone.
fn group_width<T>(lines: &[T], at: usize, name: impl Fn(&T) -> Option<usize>) -> usize {
    let before = lines[..at].iter().rev().map_while(&name);
    let after = lines[at..].iter().map_while(&name);
    if name(&lines[at]).is_none() { 0 } else { before.chain(after).max().unwrap_or(0) }
}

/// A value as HCL.
fn written(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth);
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            let items = items.iter().map(|item| format!("{pad}  {},\n", written(item, depth + 1)));
            format!("[\n{}{pad}]", items.collect::<String>())
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, depth)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let lines: Vec<(String, String)> =
                fields.iter().map(|(name, field)| (key(name), written(field, depth + 1))).collect();
            let one = |line: &(String, String)| (!line.1.contains('\n')).then(|| line.0.chars().count());
            let texts = lines.iter().enumerate().map(|(at, (name, field))| {
                let width = group_width(&lines, at, one);
                format!("{pad}  {name:width$} = {field}\n")
            });
            format!("{{\n{}{pad}}}", texts.collect::<String>())
        }
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if starts && name.chars().all(plain) { name.to_owned() } else { quoted(name) }
}

/// A text in quotes, or the bare expression when it is nothing else.
fn quoted(text: &str) -> String {
    let whole = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    if let Some(code) = whole.filter(|code| !code.contains([OPEN, CLOSE])) {
        return code.to_owned();
    }
    let mut out = String::from("\"");
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            OPEN => out.push_str("${"),
            CLOSE => out.push('}'),
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Otherwise Terraform would take it for a template of its own.
            '$' | '%' if letters.peek() == Some(&'{') => out.extend([letter, letter]),
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_cannot_become_code() {
        assert_eq!(quoted("a\"b\\c\n${x} %{y} $z"), r#""a\"b\\c\n$${x} %%{y} $z""#);
        assert_eq!(quoted("\u{1}"), r#""\u0001""#);
        assert_eq!(Body::new().remark("a\nb = 1").text(), "# a b = 1\n");
    }

    #[test]
    fn expressions_stand_alone_or_in_a_text() {
        let arn = expression("aws_s3_bucket.a.arn");
        assert_eq!(written(&arn, 0), "aws_s3_bucket.a.arn");
        let Value::String(arn) = arn else { panic!("a text") };
        assert_eq!(quoted(&format!("{arn}/*")), "\"${aws_s3_bucket.a.arn}/*\"");
        assert_eq!(quoted(&format!("{arn}{arn}")), "\"${aws_s3_bucket.a.arn}${aws_s3_bucket.a.arn}\"");
    }

    #[test]
    fn names_of_neighbors_are_aligned() {
        let body = Body::new()
            .set("a", 1)
            .set("long", json!(["x"]))
            .set("map", json!({"k": 1, "a:b": [{"deep": true}]}))
            .set("z", false)
            .block("inner", Body::new());
        let text = "a    = 1\nlong = [\"x\"]\nmap = {\n  \"a:b\" = [\n    {\n      deep = true\n    },\n  ]\n  k = 1\n}\nz = false\n\ninner {}\n";
        assert_eq!(body.text(), text);
    }
}
