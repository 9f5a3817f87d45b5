//! Plots as SVG: each a whole `<svg>` element, without script, style sheet, font or picture from elsewhere.
//!
//! Text and axes have the color of the page around them (`currentColor`), so that they can be read on a light and on a dark one. Colors are told
//! apart with the usual color blindness, and by form besides. Names are escaped: they come from plans and answers.

mod canvas;
mod histogram;
mod phases;
mod regions;
mod timeline;

pub use histogram::histogram;
pub use phases::phases;
pub use regions::{RegionRow, latency_by_region};
pub use timeline::timeline;

/// The colors of Okabe and Ito.
const BLUE: &str = "#0072b2";
const SKY: &str = "#56b4e9";
const ORANGE: &str = "#e69f00";
const GREEN: &str = "#009e73";
const RED: &str = "#d55e00";
const PURPLE: &str = "#cc79a7";

#[cfg(test)]
mod tests;
