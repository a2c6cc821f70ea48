//! A panel: axes, a grid, curves and their names.

use std::fmt::Write as _;

use crate::axis::{Axis, Range, short};

/// The width of a picture, in its own units.
pub(crate) const WIDTH: f64 = 1000.0;

const LEFT: f64 = 80.0;
const RIGHT: f64 = 25.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT: f64 = 300.0;
const TITLE_HEIGHT: f64 = 32.0;
const LEGEND_HEIGHT: f64 = 20.0;
const BELOW: f64 = 56.0;

/// What a letter of a curve's name takes.
const LETTER: f64 = 7.2;

/// Curves with at most so many points have them marked.
const MARKED_MAX: usize = 24;

/// Colours that are told apart, also by those who see few.
const COLORS: [&str; 8] =
    ["#0b6e8a", "#c0392b", "#7a5195", "#4d8f3c", "#d98c00", "#555555", "#c2508f", "#3f6fc4"];

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Without gaps.
    Solid,
    /// In dashes.
    Dashed,
    /// In dots.
    Dotted,
}

/// A line through points.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What it is called in the legend.
    pub name: String,
    /// Which of eight colours it has; further ones begin again.
    pub color: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Two axes and the curves between them.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What stands above.
    pub title: String,
    /// The axis below.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// What is drawn.
    pub curves: Vec<Curve>,
}

impl Panel {
    /// Draws it with its upper edge at `top`, and says how high it is.
    pub(crate) fn draw(&self, top: f64, out: &mut String) -> f64 {
        let rows = self.legend(top + TITLE_HEIGHT, out);
        let head = TITLE_HEIGHT + LEGEND_HEIGHT * rows as f64;
        let all = || self.curves.iter().flat_map(|curve| &curve.points);
        let area = Area {
            x: self.x.range(all().map(|(x, _)| *x)),
            y: self.y.range(all().map(|(_, y)| *y)),
            top: top + head,
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
            top + 22.0,
            escaped(&self.title)
        );
        area.grid(&self.x.label, &self.y.label, out);
        for curve in &self.curves {
            let shown = curve.points.iter().filter(|(x, y)| self.x.shows(*x) && self.y.shows(*y));
            let points: Vec<_> = shown.map(|point| area.place(*point)).collect();
            curve.draw(&points, out);
        }
        head + PLOT_HEIGHT + BELOW
    }

    /// Writes the names of the curves in as many rows as they take, and says how many those are.
    fn legend(&self, top: f64, out: &mut String) -> usize {
        let (mut x, mut row) = (LEFT, 0);
        for curve in &self.curves {
            let width = 40.0 + LETTER * curve.name.chars().count() as f64;
            if x > LEFT && x + width > WIDTH - RIGHT {
                (x, row) = (LEFT, row + 1);
            }
            let y = top + LEGEND_HEIGHT * row as f64 + 8.0;
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"{}/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 24.0,
                curve.style(),
                x + 30.0,
                y + 4.0,
                escaped(&curve.name)
            );
            x += width;
        }
        row + 1
    }
}

impl Curve {
    fn draw(&self, points: &[(f64, f64)], out: &mut String) {
        let text: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(out, "<polyline fill=\"none\"{} points=\"{}\"/>", self.style(), text.join(" "));
        if points.len() <= MARKED_MAX {
            for (x, y) in points {
                let _ = writeln!(
                    out,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{}\"/>",
                    self.color()
                );
            }
        }
    }

    fn color(&self) -> &'static str {
        COLORS[self.color % COLORS.len()]
    }

    fn style(&self) -> String {
        let dashes = match self.stroke {
            Stroke::Solid => "",
            Stroke::Dashed => " stroke-dasharray=\"7 4\"",
            Stroke::Dotted => " stroke-dasharray=\"2 3\"",
        };
        format!(" stroke=\"{}\" stroke-width=\"1.8\"{dashes}", self.color())
    }
}

/// The rectangle that curves are drawn in.
struct Area {
    x: Range,
    y: Range,
    top: f64,
}

impl Area {
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (LEFT + self.x.place(x) * PLOT_WIDTH, self.bottom() - self.y.place(y) * PLOT_HEIGHT)
    }

    fn bottom(&self) -> f64 {
        self.top + PLOT_HEIGHT
    }

    fn grid(&self, x_label: &str, y_label: &str, out: &mut String) {
        let (right, bottom) = (LEFT + PLOT_WIDTH, self.bottom());
        for tick in self.y.ticks() {
            let at = bottom - self.y.place(tick) * PLOT_HEIGHT;
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                short(tick)
            );
        }
        for tick in self.x.ticks() {
            let at = LEFT + self.x.place(tick) * PLOT_WIDTH;
            let _ = writeln!(
                out,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\" stroke=\"#eeeeee\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                self.top,
                bottom + 17.0,
                short(tick)
            );
        }
        let middle = self.top + PLOT_HEIGHT / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <text x=\"18\" y=\"{middle:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {middle:.1})\">{}</text>",
            bottom + 36.0,
            escaped(x_label),
            escaped(y_label)
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg;

    fn panel(curves: usize) -> Panel {
        let curve = |color| Curve {
            name: format!("a curve <{color}>"),
            color,
            stroke: Stroke::Dashed,
            points: vec![(1.0, 0.0), (10.0, 5.0), (100.0, f64::NAN)],
        };
        Panel {
            title: "A & B".to_owned(),
            x: Axis::logarithmic("x"),
            y: Axis::logarithmic("y"),
            curves: (0..curves).map(curve).collect(),
        }
    }

    #[test]
    fn every_curve_is_drawn_and_figures_without_a_place_are_not() {
        let picture = svg(&[panel(2), panel(20)]);
        assert_eq!(picture.matches("<polyline").count(), 22);
        assert_eq!(picture.matches("<circle").count(), 22);
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        assert!(picture.contains("A &amp; B") && picture.contains("&lt;0&gt;"));
        assert_eq!(picture.matches("<svg").count(), picture.matches("</svg>").count());
    }

    #[test]
    fn names_that_do_not_fit_go_to_the_next_row() {
        let mut out = String::new();
        let (few, many) = (panel(2).draw(0.0, &mut out), panel(20).draw(0.0, &mut out));
        assert!(many > few);
    }

    #[test]
    fn a_panel_without_curves_is_drawn_too() {
        assert!(svg(&[panel(0)]).ends_with("</svg>\n"));
    }
}
