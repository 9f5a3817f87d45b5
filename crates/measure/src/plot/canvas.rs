//! The elements that plots are made of, and their axes.

use std::fmt::Write as _;
use std::time::Duration;

use crate::milliseconds;

/// How wide every plot is.
pub(super) const WIDTH: f64 = 780.0;

/// Where a text stands.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG that is being written.
pub(super) struct Canvas {
    out: String,
}

/// A text as content of an element or within quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What XML does not allow, and what turns the direction of a text around.
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

/// Milliseconds in few digits.
pub(super) fn short(of: Duration) -> String {
    number(milliseconds::of(of))
}

/// A figure in few digits.
pub(super) fn number(of: f64) -> String {
    let digits = match of.abs() {
        0.0 => 0,
        size if size < 1.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{of:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

impl Canvas {
    /// An SVG with a title, which is also what a screen reader says.
    pub fn new(height: f64, title: &str, description: &str) -> Self {
        let (title, description) = (escaped(title), escaped(description));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" \
             style=\"max-width:{WIDTH}px\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"currentColor\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n"
        );
        let _ = writeln!(out, "<text x=\"0\" y=\"16\" font-size=\"14\" font-weight=\"600\">{title}</text>");
        Self { out }
    }

    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(self.out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(text));
    }

    /// A rectangle; a title is shown where a pointer rests on it.
    pub fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str, title: &str) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = writeln!(
            self.out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             shape-rendering=\"crispEdges\" {fill}>{}</rect>",
            if title.is_empty() { String::new() } else { format!("<title>{}</title>", escaped(title)) }
        );
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        let (x1, y1, x2, y2) = (from.0, from.1, to.0, to.1);
        let _ = writeln!(self.out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {stroke}/>");
    }

    pub fn path(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.out, "<polyline points=\"{}\" fill=\"none\" {stroke}/>", points.join(" "));
    }

    /// A small square on its corner.
    pub fn diamond(&mut self, x: f64, y: f64, fill: &str, title: &str) {
        let _ = writeln!(
            self.out,
            "<path d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5z\" {fill}><title>{}</title></path>",
            y - 5.0,
            escaped(title)
        );
    }

    /// Squares with their meaning, from the left.
    pub fn legend(&mut self, y: f64, entries: &[(&str, &str)]) {
        let mut x = 0.0;
        for (fill, meaning) in entries {
            self.rectangle(x, y - 9.0, 10.0, 10.0, fill, "");
            self.text(x + 15.0, y, Anchor::Start, meaning);
            // About the width of the letters at this size.
            x += 32.0 + 6.2 * meaning.chars().count() as f64;
        }
    }

    /// A scale along the x axis with its ticks.
    pub fn x_axis(&mut self, scale: &Scale, top: f64, bottom: f64, unit: &str) {
        for tick in scale.ticks() {
            let x = scale.at(tick);
            self.line((x, top), (x, bottom), "stroke=\"currentColor\" stroke-opacity=\"0.15\"");
            self.text(x, bottom + 16.0, Anchor::Middle, &number(tick));
        }
        self.text(scale.to, bottom + 32.0, Anchor::End, unit);
    }

    /// A scale along the y axis with its ticks.
    pub fn y_axis(&mut self, scale: &Scale, left: f64, right: f64, unit: &str) {
        for tick in scale.ticks() {
            let y = scale.at(tick);
            self.line((left, y), (right, y), "stroke=\"currentColor\" stroke-opacity=\"0.15\"");
            self.text(left - 6.0, y + 4.0, Anchor::End, &number(tick));
        }
        self.text(left - 6.0, scale.to - 12.0, Anchor::End, unit);
    }
}

/// From values to places.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// From 0 to a round figure above the largest value.
    pub fn linear(largest: f64, from: f64, to: f64) -> Self {
        let step = step(largest.max(1e-9), 6.0);
        let high = (largest.max(1e-9) / step).ceil() * step;
        Self { low: 0.0, high, from, to, logarithmic: false }
    }

    /// From the smallest to the largest value, each power of ten as wide as the next.
    pub fn logarithmic(smallest: f64, largest: f64, from: f64, to: f64) -> Self {
        let low = smallest.max(1e-3);
        Self { low, high: largest.max(low * 1.25), from, to, logarithmic: true }
    }

    pub fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// The values at the ends of so many equal parts.
    pub fn parts(&self, count: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        let at = move |n: usize| {
            let share = n as f64 / count as f64;
            if self.logarithmic {
                self.low * (self.high / self.low).powf(share)
            } else {
                self.low + share * (self.high - self.low)
            }
        };
        (0..count).map(move |n| (at(n), at(n + 1)))
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let powers = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
            let wide = self.high / self.low > 3000.0;
            let steps: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
            return all.filter(|tick| (self.low..=self.high * 1.0001).contains(tick)).collect();
        }
        let step = step(self.high, 6.0);
        let count = (self.high / step).round() as usize;
        (0..=count).map(|n| n as f64 * step).collect()
    }
}

/// 1, 2 or 5 of a power of ten, so that about so many steps reach the value.
fn step(value: f64, steps: f64) -> f64 {
    let raw = value / steps;
    let power = 10_f64.powf(raw.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= raw).unwrap_or(10.0);
    times * power
}
