use serde::{Deserialize, Serialize};

/// How often something may happen: steadily, and how many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "RateSettings", into = "RateSettings")]
pub struct Rate {
    interval_nanos: u64,
    burst: u32,
}

/// The rate cannot be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRate {
    /// Not within what nanoseconds can count.
    #[error("per_second has to be between 0.000001 and 1000000000")]
    PerSecond,
    /// Not even one.
    #[error("burst has to be at least 1")]
    Burst,
}

/// `{ per_second = 100, burst = 200 }`
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rate")]
struct RateSettings {
    /// How many a second in the long run; less than one is possible: 0.1 is one every ten seconds.
    per_second: f64,
    /// How many at once after a pause. Default: what comes in one second, at least one.
    burst: Option<u32>,
}

impl Rate {
    /// A rate of `per_second` in the long run and `burst` at once.
    ///
    /// # Errors
    /// `per_second` is not between a millionth and a billion, or `burst` is zero.
    pub fn new(per_second: f64, burst: u32) -> Result<Rate, InvalidRate> {
        if !(0.000_001..=1e9).contains(&per_second) {
            return Err(InvalidRate::PerSecond);
        }
        if burst == 0 {
            return Err(InvalidRate::Burst);
        }
        // Rounded up, so that the rate is never more than was asked for.
        Ok(Rate { interval_nanos: (1e9 / per_second).ceil() as u64, burst })
    }

    /// How many can happen at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// The time that `cost` takes at the steady rate.
    pub(crate) fn nanos(self, cost: u32) -> u64 {
        self.interval_nanos.saturating_mul(u64::from(cost))
    }
}

impl TryFrom<RateSettings> for Rate {
    type Error = InvalidRate;

    fn try_from(settings: RateSettings) -> Result<Rate, InvalidRate> {
        let burst = settings.burst.unwrap_or((settings.per_second.ceil() as u32).max(1));
        Rate::new(settings.per_second, burst)
    }
}

impl From<Rate> for RateSettings {
    fn from(rate: Rate) -> RateSettings {
        let exact = 1e9 / rate.interval_nanos as f64;
        // The interval was rounded: 3 a second are to be written as 3, not as 2.999999994.
        let shorter = (0..16).filter_map(|digits| format!("{exact:.digits$e}").parse().ok());
        let per_second =
            shorter.into_iter().find(|text| (1e9_f64 / text).ceil() as u64 == rate.interval_nanos);
        RateSettings { per_second: per_second.unwrap_or(exact), burst: Some(rate.burst) }
    }
}

impl schemars::JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RateSettings::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RateSettings::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_checked() {
        assert_eq!(Rate::new(3.0, 1).map(|rate| rate.nanos(3)), Ok(1_000_000_002));
        for per_second in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert_eq!(Rate::new(per_second, 1), Err(InvalidRate::PerSecond));
        }
        assert_eq!(Rate::new(1.0, 0), Err(InvalidRate::Burst));
    }

    #[test]
    fn rates_are_written_as_they_are_read() {
        for per_second in [0.000_001, 0.1, 0.3, 1.0, 2.5, 3.0, 7.0, 100.0, 999.0, 123_456.7, 1e9] {
            let rate = Rate::new(per_second, 4).unwrap();
            let written = toml::to_string(&rate).unwrap();
            assert_eq!(toml::from_str::<Rate>(&written).unwrap(), rate, "{written}");
        }
        assert_eq!(toml::to_string(&Rate::new(3.0, 4).unwrap()).unwrap(), "per_second = 3.0\nburst = 4\n");
    }

    #[test]
    fn burst_is_a_second_by_default() {
        for (settings, expected) in [("per_second = 5", 5), ("per_second = 0.1", 1), ("per_second = 2.5", 3)]
        {
            assert_eq!(toml::from_str::<Rate>(settings).unwrap().burst(), expected);
        }
        assert!(toml::from_str::<Rate>("per_second = 0").is_err());
        assert!(toml::from_str::<Rate>("per_second = nan").is_err());
    }
}
