//! What the page shows as curves.

use antiphon_bench::{Latency, Report};
use antiphon_plot::{Axis, Curve, Panel, Stroke, svg};

use super::results::{Results, Row, Sample};
use super::section::Section;
use super::subject::{Spoken, Subject};

/// An SVG file beside the page.
pub(super) struct Picture {
    pub(super) file: &'static str,
    /// What it shows, in a line.
    pub(super) shows: &'static str,
    pub(super) svg: String,
}

/// The pictures of a section; none when nothing of them was measured.
pub(super) fn of(results: &Results, section: Section) -> Option<Picture> {
    let (file, shows, panels) = match section {
        Section::Latency => ("latency.svg", "Latency against the rate of messages", latency(results)),
        Section::Idle => ("memory.svg", "Resident memory against connections", memory(results)),
        _ => return None,
    };
    let has_curves = panels.iter().any(|panel| !panel.curves.is_empty());
    has_curves.then(|| Picture { file, shows, svg: svg(&panels) })
}

fn latency(results: &Results) -> Vec<Panel> {
    let panel = |title: &str, percentile: fn(&Latency) -> f64| {
        let rows: Vec<&Row> = results.of(Section::Latency).filter(|row| row.case.point.is_some()).collect();
        let value = move |report: &Report| report.latency.as_ref().map(|all| percentile(all) / 1e3);
        Panel {
            title: format!("{title}, 100 subscribers, 128 bytes"),
            x: Axis::logarithmic("messages published a second"),
            y: Axis::logarithmic("ms"),
            curves: curves(&rows, "", Stroke::Solid, &value),
        }
    };
    vec![
        panel("p50", |latency| latency.p50_us),
        panel("p99", |latency| latency.p99_us),
        panel("p99.9", |latency| latency.p999_us),
    ]
}

fn memory(results: &Results) -> Vec<Panel> {
    const MIB: f64 = 1024.0 * 1024.0;
    let panel = |title: &str, y: &str, value: &dyn Fn(&Report) -> Option<f64>| {
        let rows = |spoken| -> Vec<&Row> {
            results.of(Section::Idle).filter(|row| row.case.spoken == spoken).collect()
        };
        let mut all = curves(&rows(Spoken::WebSocket), ", WebSocket", Stroke::Solid, value);
        all.extend(curves(&rows(Spoken::SocketIo), ", Socket.IO", Stroke::Dashed, value));
        Panel {
            title: title.to_owned(),
            x: Axis::logarithmic("connections"),
            y: Axis::logarithmic(y),
            curves: all,
        }
    };
    let each = |report: &Report| report.memory.map(|memory| memory.bytes_per_connection);
    let grown =
        |report: &Report| report.memory.map(|memory| memory.bytes_per_connection * report.count as f64 / MIB);
    vec![
        panel("What the server's resident memory grows by", "MiB", &grown),
        panel("For each connection", "bytes", &each),
    ]
}

/// A curve for each server that was measured at any of the points.
fn curves(rows: &[&Row], spoken: &str, stroke: Stroke, value: &dyn Fn(&Report) -> Option<f64>) -> Vec<Curve> {
    let mut subjects: Vec<Subject> = rows.iter().flat_map(|row| row.subjects()).collect();
    subjects.sort();
    subjects.dedup();
    let curve = |subject: Subject| {
        let point = |row: &&Row| {
            let values: Vec<f64> = row.reports(subject).iter().filter_map(value).collect();
            row.case.point.zip(Sample::of(values).map(|sample| sample.median))
        };
        Curve {
            name: format!("{}{spoken}", subject.heading()),
            color: color(subject),
            stroke,
            points: rows.iter().filter_map(point).collect(),
        }
    };
    subjects.into_iter().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

/// The same colour for a server in every picture.
fn color(subject: Subject) -> usize {
    match subject {
        Subject::Antiphon => 0,
        Subject::Redis | Subject::Socketioxide | Subject::SocketioxideNoDelay => 1,
        Subject::NodeWs | Subject::NodeSocketIo => 3,
        Subject::Tungstenite => 2,
        Subject::Nats => 4,
        Subject::Reference => 5,
        Subject::Mosquitto => 6,
        Subject::Rumqttd => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    #[test]
    fn servers_have_a_curve_each_once_they_are_measured() {
        let mut results = Results::new(cases::all());
        assert!(of(&results, Section::Latency).is_none() && of(&results, Section::WebSocket).is_none());
        let latency = Latency { p50_us: 50.0, p90_us: 60.0, p99_us: 90.0, p999_us: 200.0, max_us: 900.0 };
        for row in 0..results.rows.len() {
            if results.rows[row].case.point.is_some() {
                let report = Report { latency: Some(latency), count: 10, ..Report::default() };
                results.add(row, Subject::Antiphon, Ok(report));
            }
        }
        let picture = of(&results, Section::Latency).unwrap();
        assert_eq!(picture.svg.matches("<polyline").count(), 3);
        assert!(picture.svg.contains("antiphon") && !picture.svg.contains("redis"));
        // Connections whose memory was not measured.
        assert!(of(&results, Section::Idle).is_none());
    }
}
