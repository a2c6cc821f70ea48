//! Curves as SVG: what the suites draw into their pages.
//!
//! A picture is a column of [`Panel`]s, each with two [`Axis`] and its [`Curve`]s. The text of an SVG is the same for the same
//! figures, so that a picture can be kept in a repository. It knows nothing of what the figures mean, and reads and writes no file.
#![forbid(unsafe_code)]

mod axis;
mod panel;

pub use axis::{Axis, Scale};
pub use panel::{Curve, Panel, Stroke};

/// Panels below each other, as an SVG document.
#[must_use]
pub fn svg(panels: &[Panel]) -> String {
    let mut body = String::new();
    let mut top = 0.0;
    for panel in panels {
        top += panel.draw(top, &mut body);
    }
    let width = panel::WIDTH;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {top}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}
