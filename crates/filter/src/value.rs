use std::borrow::Cow;

/// A value that filters compare.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`, or nothing there.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// An object or an array, as JSON.
    Json(Cow<'a, str>),
}

/// A number: whole ones are exact, as far as 64 bits go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Whole(i64),
    /// Any other. Never NaN.
    Real(f64),
}

impl Value<'_> {
    /// Whether it counts as true where a condition is asked for: `true`, numbers but zero, texts but the empty one, objects and arrays.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Boolean(boolean) => *boolean,
            Value::Number(number) => number.to_real() != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Json(_) => true,
        }
    }
}

impl Number {
    /// The number of a text in JSON's form. None if it is no number, or too great to be one.
    pub fn parse(text: &str) -> Option<Number> {
        if let Ok(whole) = text.parse() {
            return Some(Number::Whole(whole));
        }
        let real: f64 = text.parse().ok()?;
        real.is_finite().then_some(Number::Real(real))
    }

    /// The nearest that a real number of 64 bits can be.
    pub fn to_real(self) -> f64 {
        match self {
            Number::Whole(whole) => whole as f64,
            Number::Real(real) => real,
        }
    }
}
