/// A line through points, that a few which are far off do not tilt (Theil and Sen): the median of the slopes between all
/// pairs of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// How much it rises in one unit of the first coordinate.
    pub(crate) slope: f64,
    /// Where it begins.
    pub(crate) at_zero: f64,
}

/// Through how many points a line is laid at most: all pairs of them are looked at.
const POINTS_MAX: usize = 600;

/// The line through these points; none if there are fewer than two.
pub(crate) fn line(points: &[(f64, f64)]) -> Option<Line> {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<_> = points.iter().step_by(step).copied().collect();
    let mut slopes = Vec::new();
    for (at, one) in points.iter().enumerate() {
        let pairs = points[at + 1..].iter().filter(|other| other.0 > one.0);
        slopes.extend(pairs.map(|other| (other.1 - one.1) / (other.0 - one.0)));
    }
    let slope = median(slopes)?;
    let at_zero = median(points.iter().map(|(x, y)| y - slope * x).collect())?;
    Some(Line { slope, at_zero })
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_are_far_off_do_not_tilt_the_line() {
        let mut points: Vec<_> = (0..1000).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        for x in (0..1000).step_by(7) {
            points[x].1 += 1e6;
        }
        let line = line(&points).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.at_zero - 3.0).abs() < 1e-6, "{line:?}");
    }

    #[test]
    fn there_is_no_line_through_less_than_two_points() {
        assert_eq!(line(&[(1.0, 1.0)]), None);
        assert_eq!(median(vec![]), None);
    }
}
