use antiphon_plot::{Axis, Curve, Panel, Stroke};

use crate::slope::Line;
use crate::watch::Sample;

/// Memory and descriptors over time, as SVG. The line through the memory is in mebibytes over minutes.
pub(crate) fn svg(samples: &[Sample], line: Option<(Line, f64, f64)>) -> String {
    let curve = |name: &str, color, value: fn(&Sample) -> f64| Curve {
        name: name.to_owned(),
        color,
        stroke: Stroke::Solid,
        points: samples.iter().map(|sample| (sample.at / 60.0, value(sample))).collect(),
    };
    const MIB: f64 = 1024.0 * 1024.0;
    let mut memory = vec![
        curve("resident memory", 0, |sample| sample.resident as f64 / MIB),
        curve("of it anonymous", 3, |sample| sample.anonymous as f64 / MIB),
    ];
    if let Some((line, from, to)) = line {
        let points = [from, to].map(|x| (x, line.at_zero + line.slope * x)).to_vec();
        memory.push(Curve { name: "its slope".to_owned(), color: 1, stroke: Stroke::Dashed, points });
    }
    let counts = vec![
        curve("file descriptors", 0, |sample| sample.descriptors as f64),
        curve("sessions", 1, |sample| sample.gauges.sessions),
        curve("channels", 2, |sample| sample.gauges.channels),
        curve("threads", 5, |sample| sample.threads as f64),
    ];
    let panel = |title: &str, y: &str, curves| Panel {
        title: title.to_owned(),
        x: Axis::linear("minutes"),
        y: Axis::linear(y),
        curves,
    };
    antiphon_plot::svg(&[panel("Memory", "MiB", memory), panel("What is open", "how many", counts)])
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
