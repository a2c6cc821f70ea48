//! Several runs of the same load, as one report.

use super::{Cpu, Latency, Memory, Report, Storm};

impl Report {
    /// The medians of several runs, and the runs. One run is left as it is.
    ///
    /// # Panics
    /// There is no run.
    #[must_use]
    pub fn of_runs(mut runs: Vec<Report>) -> Report {
        if runs.len() == 1 {
            return runs.remove(0);
        }
        let medians = folded(&runs, |values| {
            let middle = values.len() / 2;
            if values.len().is_multiple_of(2) {
                f64::midpoint(values[middle - 1], values[middle])
            } else {
                values[middle]
            }
        });
        Report { runs, ..medians }
    }

    /// The least and the most of each figure, where there were several runs.
    pub(super) fn spread(&self) -> Option<(Report, Report)> {
        let last = self.runs.len().checked_sub(1)?;
        Some((folded(&self.runs, |values| values[0]), folded(&self.runs, move |values| values[last])))
    }

    /// Puts in place of each figure what is made of it, always in the same order.
    fn update(&mut self, mut each: impl FnMut(f64) -> f64) {
        let (whole, others) = self.figures();
        for value in whole {
            *value = each(*value as f64).round() as u64;
        }
        for value in others {
            *value = each(*value);
        }
    }

    /// The figures that are whole numbers, and the others.
    fn figures(&mut self) -> (Vec<&mut u64>, Vec<&mut f64>) {
        let Report { count, seconds, per_second, latency, answered, answers, cpu, memory, storm, .. } = self;
        let (mut whole, mut others) = (vec![count], vec![seconds, per_second]);
        whole.extend(answers);
        let mut latencies: Vec<&mut Latency> = latency.iter_mut().chain(answered).collect();
        if let Some(Cpu { microseconds_per_unit, cores }) = cpu {
            others.extend([microseconds_per_unit, cores]);
        }
        if let Some(Memory { bytes_before, bytes_open, bytes_used, bytes_per_connection }) = memory {
            whole.extend([bytes_before, bytes_open, bytes_used]);
            others.push(bytes_per_connection);
        }
        if let Some(storm) = storm {
            let Storm { clients, missed, connected_seconds, connects_per_second, caught_up, .. } = storm;
            whole.extend([clients, missed]);
            others.extend([connected_seconds, connects_per_second, &mut storm.caught_up_seconds]);
            latencies.extend([caught_up, &mut storm.calm]);
        }
        for Latency { p50_us, p90_us, p99_us, p999_us, max_us } in latencies {
            others.extend([p50_us, p90_us, p99_us, p999_us, max_us]);
        }
        (whole, others)
    }
}

/// One report of several that have the same figures: of each, what `pick` takes from its values in order.
///
/// What not all of them have is left out.
fn folded(runs: &[Report], pick: impl Fn(&[f64]) -> f64) -> Report {
    let mut runs = runs.to_vec();
    if runs.iter().any(|run| run.cpu.is_none()) {
        runs.iter_mut().for_each(|run| run.cpu = None);
    }
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for run in &mut runs {
        let mut at = 0;
        run.update(|value| {
            if columns.len() == at {
                columns.push(Vec::new());
            }
            columns[at].push(value);
            at += 1;
            value
        });
    }
    let mut picked = columns.into_iter().map(|mut values| {
        values.sort_by(f64::total_cmp);
        pick(&values)
    });
    let mut folded = runs.swap_remove(0);
    folded.runs.clear();
    folded.update(|value| picked.next().unwrap_or(value));
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: u64, per_second: f64, p99_us: f64) -> Report {
        let latency = Some(Latency { p99_us, ..Latency::default() });
        let cpu = Some(Cpu { microseconds_per_unit: per_second / 10.0, cores: 1.0 });
        let memory = Some(Memory { bytes_before: count, bytes_per_connection: 7.5, ..Memory::default() });
        Report { count, per_second, latency, cpu, memory, ..Report::default() }
    }

    #[test]
    fn each_figure_is_the_median_of_its_own() {
        let runs = vec![run(10, 3.0, 100.0), run(30, 1.0, 300.0), run(20, 2.0, 900.0)];
        let medians = Report::of_runs(runs.clone());
        assert_eq!((medians.count, medians.per_second), (20, 2.0));
        assert_eq!(medians.latency.unwrap().p99_us, 300.0);
        assert_eq!(medians.cpu.unwrap().microseconds_per_unit, 0.2);
        assert_eq!(medians.memory.unwrap().bytes_before, 20);
        assert_eq!(medians.memory.unwrap().bytes_per_connection, 7.5);
        assert_eq!(medians.runs.len(), 3);
        let (least, most) = medians.spread().unwrap();
        assert_eq!((least.count, most.count), (10, 30));
        assert_eq!(Report::of_runs(runs[..2].to_vec()).count, 20);
    }

    #[test]
    fn one_run_is_itself_and_has_no_spread() {
        let only = Report::of_runs(vec![run(10, 3.0, 100.0)]);
        assert!(only.runs.is_empty() && only.spread().is_none());
    }

    #[test]
    fn what_a_run_lacks_is_left_out() {
        let without = Report { cpu: None, ..run(1, 1.0, 1.0) };
        assert!(Report::of_runs(vec![run(1, 1.0, 1.0), without]).cpu.is_none());
    }
}
