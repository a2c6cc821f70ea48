//! Comparisons of two values.

use std::cmp::Ordering;

use crate::{Number, Operator, Value, field, like};

/// Whether a comparison holds. Values of different types differ, and neither is the less.
pub(crate) fn holds(left: &Value<'_>, operator: Operator, right: &Value<'_>) -> bool {
    match operator {
        Operator::Equal => is_equal(left, right),
        Operator::NotEqual => !is_equal(left, right),
        Operator::Less => order(left, right).is_some_and(Ordering::is_lt),
        Operator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Operator::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Operator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        Operator::Like => match (left, right) {
            (Value::Text(text), Value::Text(pattern)) => like::is_like(text, pattern),
            _ => false,
        },
        Operator::Contains => contains(left, right),
        _ => false,
    }
}

fn is_equal(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

/// Numbers by their size and texts by their code points; nothing else has an order.
fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(order_of_numbers(*left, *right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn order_of_numbers(left: Number, right: Number) -> Ordering {
    match (left, right) {
        (Number::Whole(left), Number::Whole(right)) => left.cmp(&right),
        (Number::Whole(left), Number::Real(right)) => whole_with_real(left, right),
        (Number::Real(left), Number::Whole(right)) => whole_with_real(right, left).reverse(),
        (Number::Real(left), Number::Real(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
    }
}

/// Exact also where a whole number has more digits than a real one.
fn whole_with_real(whole: i64, real: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if real >= LIMIT {
        return Ordering::Less;
    }
    if real < -LIMIT {
        return Ordering::Greater;
    }
    // Within the limits the whole part is exact.
    whole.cmp(&(real.trunc() as i64)).then_with(|| 0.0.partial_cmp(&real.fract()).unwrap_or(Ordering::Equal))
}

/// A text has another in it, or an array an item.
fn contains(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Text(text), Value::Text(part)) => text.contains(&**part),
        (Value::Json(json), item) => field::items(json).iter().any(|one| is_equal(one, item)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        let order = |left: &str, right: &str| {
            order_of_numbers(Number::parse(left).unwrap(), Number::parse(right).unwrap())
        };
        for (left, right, expected) in [
            ("17325678901234567", "17325678901234568", Ordering::Less),
            ("17325678901234567", "17325678901234567.0", Ordering::Less),
            ("1", "1.0", Ordering::Equal),
            ("1", "1.5", Ordering::Less),
            ("-1", "-1.5", Ordering::Greater),
            ("0", "-0.0", Ordering::Equal),
            ("9223372036854775807", "9223372036854775808", Ordering::Less),
            ("-9223372036854775808", "-1e300", Ordering::Greater),
            ("1e300", "2e300", Ordering::Less),
        ] {
            assert_eq!(order(left, right), expected, "{left} {right}");
            assert_eq!(order(right, left), expected.reverse(), "{right} {left}");
        }
    }
}
