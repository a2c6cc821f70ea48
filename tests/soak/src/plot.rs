use std::fmt::Write as _;

use crate::slope::Line;
use crate::watch::Sample;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;

/// One line of a plot.
struct Curve<'a> {
    name: &'a str,
    color: &'a str,
    points: Vec<(f64, f64)>,
}

/// Memory and descriptors over time, as SVG. The line through the memory is in mebibytes over minutes.
pub(crate) fn svg(samples: &[Sample], line: Option<(Line, f64, f64)>) -> String {
    let minutes = |sample: &Sample| sample.at / 60.0;
    let curve = |name, color, value: fn(&Sample) -> f64| Curve {
        name,
        color,
        points: samples.iter().map(|sample| (minutes(sample), value(sample))).collect(),
    };
    const MIB: f64 = 1024.0 * 1024.0;
    let mut memory = vec![
        curve("resident memory, MiB", "#1f6f8b", |sample| sample.resident as f64 / MIB),
        curve("of it anonymous, MiB", "#99b898", |sample| sample.anonymous as f64 / MIB),
    ];
    if let Some((line, from, to)) = line {
        let points = [from, to].map(|x| (x, line.at_zero + line.slope * x)).to_vec();
        memory.push(Curve { name: "its slope", color: "#c0392b", points });
    }
    let counts = [
        curve("file descriptors", "#1f6f8b", |sample| sample.descriptors as f64),
        curve("sessions", "#c0392b", |sample| sample.gauges.sessions),
        curve("channels", "#8e6c8a", |sample| sample.gauges.channels),
        curve("threads", "#555555", |sample| sample.threads as f64),
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH + LEFT + 20.0,
        2.0 * (HEIGHT + TOP + 30.0)
    );
    panel(&mut svg, 0.0, &memory);
    panel(&mut svg, HEIGHT + TOP + 30.0, &counts);
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, curves: &[Curve<'_>]) {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let right = all().map(|(x, _)| *x).fold(0.001, f64::max);
    let high = all().map(|(_, y)| *y).fold(1.0, f64::max) * 1.05;
    let x = |value: f64| LEFT + value / right * WIDTH;
    let y = |value: f64| top + TOP + HEIGHT - value / high * HEIGHT;
    // Writing to a string does not fail.
    for step in 0..=4 {
        let value = high * f64::from(step) / 4.0;
        let at = y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            at + 4.0
        );
        let value = right * f64::from(step) / 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.1} min</text>",
            x(value),
            top + TOP + HEIGHT + 16.0
        );
    }
    for (at, curve) in curves.iter().enumerate() {
        let points: Vec<_> =
            curve.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>",
            curve.color,
            points.join(" "),
            LEFT + 10.0 + 190.0 * at as f64,
            top + TOP - 8.0,
            curve.color,
            curve.name
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_line_for_each_thing() {
        let sample = |at: f64| Sample { at, resident: 50 << 20, descriptors: 20, ..Sample::default() };
        let line = Line { slope: 0.1, at_zero: 50.0 };
        let svg = svg(&[sample(0.0), sample(60.0)], Some((line, 0.0, 1.0)));
        assert_eq!(svg.matches("<polyline").count(), 7);
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
    }
}
