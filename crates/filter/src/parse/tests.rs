use proptest::prelude::*;

use crate::{Expression, FILTER_BYTES_MAX, FILTER_DEPTH_MAX, Filter, Operation, Value};

/// With all its parentheses.
fn shown(expression: &Expression) -> String {
    match &expression.operation {
        Operation::Literal(Value::Text(text)) => format!("{text:?}"),
        Operation::Literal(value) => format!("{value:?}"),
        Operation::Field(path) => path.to_string(),
        Operation::Not(of) => format!("!{}", shown(of)),
        Operation::Negate(of) => format!("-{}", shown(of)),
        Operation::Binary(left, operator, right) => {
            format!("({} {} {})", shown(left), operator.as_str(), shown(right))
        }
    }
}

fn parsed(text: &str) -> String {
    Filter::parse(text).map_or_else(|error| error.to_string(), |filter| shown(filter.expression()))
}

#[test]
fn operators_bind_as_told() {
    for (text, expected) in [
        ("a", "a"),
        ("  a\t==\n'b'  ", "(a == \"b\")"),
        ("a||b&&c", "(a || (b && c))"),
        ("a&&b||c&&d", "((a && b) || (c && d))"),
        ("!a==b", "!(a == b)"),
        ("!!a", "!!a"),
        ("!a && b", "(!a && b)"),
        ("a - b - c", "((a - b) - c)"),
        ("a-b*-c%d", "(a - ((b * -c) % d))"),
        ("a + b < c * 2", "((a + b) < (c * Number(Whole(2))))"),
        ("(a || b) && c", "((a || b) && c)"),
        ("a like 'x*' or", "at character 13: expected an operator or the end"),
        ("name LIKE \"x*\" && b CONTAINS 'y'", "((name LIKE \"x*\") && (b CONTAINS \"y\"))"),
        ("likes == trueish", "(likes == trueish)"),
        ("a.b[0][\"c d\"].é == null", "(a.b[0].c d.é == Null)"),
        ("a . b == 1", "at character 3: expected an operator or the end"),
        ("x == \"\\\"\\u00e9\\n\"", "(x == \"\\\"é\\n\")"),
        ("x == '\\ud83d\\ude00'", "(x == \"😀\")"),
        (r"x LIKE 'a\*'", r#"(x LIKE "a\\*")"#),
        ("x == 1.5e2", "(x == Number(Real(150.0)))"),
        ("x == 17325678901234567", "(x == Number(Whole(17325678901234567)))"),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn what_means_nothing_is_told_where() {
    for (text, expected) in [
        ("", "at character 1: expected a field, a value, ! or ("),
        ("a ==", "at character 5: expected a field, a value, ! or ("),
        ("a == b == c", "at character 8: expected &&, ||, ) or the end"),
        ("(a", "at character 3: expected an operator or )"),
        ("a)", "at character 2: expected an operator or the end"),
        ("a = b", "at character 3: expected an operator or the end"),
        ("a & b", "at character 3: expected an operator or the end"),
        ("'a", "at character 3: expected a quote at the end"),
        ("ü.", "at character 3: expected a name"),
        ("a[", "at character 3: expected a number or a text in quotes"),
        ("a[1", "at character 4: expected ]"),
        ("1.", "at character 3: expected a digit"),
        ("1e999", "at character 1: expected a number that can be held"),
        ("data.*", "at character 6: expected a name"),
        ("'\\ud83d'", "at character 8"),
    ] {
        let told = parsed(text);
        assert!(told.starts_with(expected), "{text}: {told}");
    }
}

#[test]
fn length_and_depth_have_limits() {
    let deep = |levels| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Filter::parse(&deep(FILTER_DEPTH_MAX)).is_ok());
    let error = Filter::parse(&deep(FILTER_DEPTH_MAX + 1)).unwrap_err();
    assert_eq!((error.position, &*error.problem), (FILTER_DEPTH_MAX + 2, "it is nested too deep"));
    assert!(Filter::parse(&format!("{}a", "!".repeat(FILTER_DEPTH_MAX + 1))).is_err());
    assert!(Filter::parse(&format!("{}a", "-".repeat(FILTER_DEPTH_MAX + 1))).is_err());
    let long = format!("a{}", "||a".repeat((FILTER_BYTES_MAX - 1) / 3));
    assert!(Filter::parse(&long).is_ok_and(|filter| !filter.matches(|_| Value::Null)));
    assert!(Filter::parse(&"a".repeat(FILTER_BYTES_MAX + 1)).is_err());
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_understood_is_evaluated(text in "[a-c0-9.\\[\\]()!=<>&|+*/%\"'\\\\ -]{0,40}|.{0,40}") {
        if let Ok(filter) = Filter::parse(&text) {
            filter.matches(|_| Value::Text("x".into()));
        }
    }

    #[test]
    fn texts_are_read_as_json_writes_them(text: String) {
        prop_assume!(!text.contains('\\') && !text.contains(char::is_control));
        let filter = Filter::parse(&format!("x == {}", serde_json::to_string(&text).unwrap())).unwrap();
        prop_assert!(filter.matches(|_| Value::Text(text.as_str().into())));
    }
}
