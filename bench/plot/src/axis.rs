//! From figures to places on a line, and what is written along it.

/// How figures are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From zero, evenly.
    Linear,
    /// Each factor of ten as wide as the next. Figures that are not above zero are left out.
    Logarithmic,
}

/// One side of a panel.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What is written at it, with the unit.
    pub label: String,
    /// How figures are spread.
    pub scale: Scale,
}

impl Axis {
    /// An axis that begins at zero.
    #[must_use]
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear }
    }

    /// An axis of powers of ten.
    #[must_use]
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic }
    }

    /// What the axis reaches so that all of these are on it.
    pub(crate) fn range(&self, values: impl Iterator<Item = f64>) -> Range {
        let shown = values.filter(|value| self.shows(*value));
        let (least, most) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let (from, to) = match self.scale {
            Scale::Linear => {
                let step = step(most.max(f64::MIN_POSITIVE));
                (0.0, if most > 0.0 { (most / step).ceil() * step } else { 1.0 })
            }
            Scale::Logarithmic if least <= most => {
                let (from, to) = (below(least), above(most));
                (from, if to > from { to } else { from * 10.0 })
            }
            Scale::Logarithmic => (1.0, 10.0),
        };
        Range { scale: self.scale, from, to }
    }

    /// Whether a figure has a place on the axis.
    pub(crate) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }
}

/// What an axis reaches from and to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Range {
    /// Where a figure is: 0 at the beginning, 1 at the end.
    pub(crate) fn place(self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => (value / self.from).log10() / (self.to / self.from).log10(),
        }
    }

    /// The figures that are written along the axis.
    pub(crate) fn ticks(self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = step(self.to);
                (0..=(self.to / step).round() as u32).map(|at| f64::from(at) * step).collect()
            }
            Scale::Logarithmic => {
                let decades = (self.to / self.from).log10();
                let within: &[f64] = if decades <= 3.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let first = self.from.log10().floor() as i32;
                let last = self.to.log10().ceil() as i32;
                let all = (first..=last)
                    .flat_map(|exponent| within.iter().map(move |digit| digit * power(exponent)));
                // What is a hair beyond an end for how powers are rounded is at the end.
                all.filter(|value| (-1e-9..=1.0 + 1e-9).contains(&self.place(*value))).collect()
            }
        }
    }
}

/// A figure in few letters: 1,500 is `1.5k`.
pub(crate) fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        large if large >= 1e9 => (value / 1e9, "G"),
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{suffix}")
}

/// The distance of the ticks of an axis from zero to `most`: 1, 2 or 5 times a power of ten, so that there are four to ten of them.
fn step(most: f64) -> f64 {
    let magnitude = power((most / 4.0).log10().floor() as i32);
    let fits = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * magnitude <= most / 4.0 * (1.0 + 1e-9));
    fits.unwrap_or(1.0) * magnitude
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `value`.
fn below(value: f64) -> f64 {
    let magnitude = power(value.log10().floor() as i32);
    [5.0, 2.0, 1.0].map(|digit| digit * magnitude).into_iter().find(|end| *end <= value).unwrap_or(magnitude)
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `value`.
fn above(value: f64) -> f64 {
    let magnitude = power(value.log10().floor() as i32);
    let ends = [1.0, 2.0, 5.0].map(|digit| digit * magnitude);
    ends.into_iter().find(|end| *end >= value).unwrap_or(magnitude * 10.0)
}

fn power(exponent: i32) -> f64 {
    10f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_what_is_shown() {
        for (most, ticks) in [
            (10.0, vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
            (0.9, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (4.0, vec![0.0, 1.0, 2.0, 3.0, 4.0]),
        ] {
            let found = Axis::linear("").range([most].into_iter()).ticks();
            assert!(found.len() == ticks.len(), "{found:?}");
            assert!(found.iter().zip(&ticks).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        }
        let narrow = Axis::logarithmic("").range([15.0, 180.0].into_iter());
        assert_eq!(
            narrow.ticks().into_iter().map(short).collect::<Vec<_>>(),
            ["10", "20", "50", "100", "200"]
        );
        let wide = Axis::logarithmic("").range([1.0, 1e6].into_iter());
        assert_eq!(wide.ticks().into_iter().map(short).collect::<Vec<_>>().concat(), "1101001k10k100k1M");
    }

    #[test]
    fn places_are_between_the_ends() {
        let range = Axis::logarithmic("").range([10.0, 999.0].into_iter());
        assert!((range.place(10.0), (range.place(100.0) - 0.5).abs() < 1e-9) == (0.0, true));
        assert!((Axis::linear("").range([8.0].into_iter()).place(4.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_show_is_no_error() {
        for axis in [Axis::linear(""), Axis::logarithmic("")] {
            for values in [vec![], vec![0.0], vec![f64::NAN], vec![10.0]] {
                let range = axis.range(values.into_iter());
                assert!(range.ticks().iter().all(|tick| range.place(*tick).is_finite()), "{range:?}");
            }
        }
    }

    #[test]
    fn figures_are_short() {
        let texts = [0.0, 0.05, 12.5, 1_500.0, 2e6, 3e9].map(short);
        assert_eq!(texts, ["0", "0.05", "12.5", "1.5k", "2M", "3G"]);
    }
}
