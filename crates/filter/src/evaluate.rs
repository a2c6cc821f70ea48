//! What an expression comes to, given the values of fields.

use crate::{Expression, Filter, Number, Operation, Operator, Path, Value, compare};

impl Filter {
    /// Whether it lets something through, whose fields `field` finds.
    pub fn matches<'a>(&self, field: impl Fn(&Path) -> Value<'a>) -> bool {
        evaluate(&self.expression, &field).is_true()
    }
}

fn evaluate<'a>(expression: &Expression, field: &impl Fn(&Path) -> Value<'a>) -> Value<'a> {
    match &expression.operation {
        Operation::Literal(value) => value.clone(),
        Operation::Field(path) => field(path),
        Operation::Not(of) => Value::Boolean(!evaluate(of, field).is_true()),
        Operation::Negate(of) => {
            arithmetic(Value::Number(Number::Whole(0)), Operator::Subtract, evaluate(of, field))
        }
        Operation::Binary(left, Operator::And, right) => {
            Value::Boolean(evaluate(left, field).is_true() && evaluate(right, field).is_true())
        }
        Operation::Binary(left, Operator::Or, right) => {
            Value::Boolean(evaluate(left, field).is_true() || evaluate(right, field).is_true())
        }
        Operation::Binary(left, operator, right) => {
            let (left, right) = (evaluate(left, field), evaluate(right, field));
            match operator {
                Operator::Add
                | Operator::Subtract
                | Operator::Multiply
                | Operator::Divide
                | Operator::Remainder => arithmetic(left, *operator, right),
                _ => Value::Boolean(compare::holds(&left, *operator, &right)),
            }
        }
    }
}

/// Null where a side is no number, or the result is none.
fn arithmetic<'a>(left: Value<'a>, operator: Operator, right: Value<'a>) -> Value<'a> {
    let (Value::Number(left), Value::Number(right)) = (left, right) else { return Value::Null };
    let whole = match (left, right) {
        (Number::Whole(left), Number::Whole(right)) => match operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::Remainder => left.checked_rem(right),
            // Of whole numbers too: half of one is not nothing.
            _ => None,
        },
        _ => None,
    };
    if let Some(whole) = whole {
        return Value::Number(Number::Whole(whole));
    }
    let (left, right) = (left.to_real(), right.to_real());
    let real = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        _ => left % right,
    };
    if real.is_finite() { Value::Number(Number::Real(real)) } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn filters_are_evaluated_over_json() {
        let json = r#"{"level":3,"half":0.5,"name":"Zoë","on":true,"none":null,"empty":"","tags":["a","b",1],
            "user":{"role":"admin","a-b":7},"list":[[1,2],{"x":5}],"time":17325678901234567}"#;
        for (filter, expected) in [
            ("level == 3", true),
            ("level == 3.0", true),
            ("level == \"3\"", false),
            ("level != \"3\"", true),
            ("level < \"4\"", false),
            ("level > 2 && level < 4", true),
            ("2 < level", true),
            ("name LIKE \"z*\"", true),
            ("name LIKE 'Zoë'", true),
            ("level LIKE \"*\"", false),
            ("name CONTAINS \"o\"", true),
            ("tags CONTAINS \"b\"", true),
            ("tags CONTAINS 1", true),
            ("tags CONTAINS \"c\"", false),
            ("on", true),
            ("!on", false),
            ("empty || none || nothing", false),
            ("none == null && nothing == null", true),
            ("level != null", true),
            ("user.role == \"admin\"", true),
            ("user[\"a-b\"] == 7", true),
            ("list[0][1] == 2", true),
            ("list[1].x == 5", true),
            ("list[9] == null", true),
            ("level + 1 == 4", true),
            ("level / 2 == 1.5", true),
            ("level % 2 == 1", true),
            ("-level == 0 - 3", true),
            ("level / 0 == null", true),
            ("half * 2 == 1", true),
            ("name + 1 == null", true),
            ("1 + 2 * 3 == 7", true),
            ("(1 + 2) * 3 == 9", true),
            ("time == 17325678901234567", true),
            ("time == 17325678901234568", false),
            ("!level == 4", true),
            ("level == 4 || level == 3 && on", true),
            ("list == list", false),
            ("on == true", true),
            ("on == 1", false),
        ] {
            let parsed = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
            assert_eq!(parsed.matches(|path| find(json, &path.0)), expected, "{filter}");
        }
    }
}
