use proptest::prelude::*;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, params_from_iter};

use super::*;
use crate::find;

/// A table with texts, and JSON.
struct Table;

impl Columns for Table {
    fn column(&self, path: &Path) -> Option<Column> {
        match &*path.names().unwrap_or_default() {
            ["name"] => Some(Column::Text("name")),
            ["type"] => Some(Column::Text("type")),
            ["custom", ..] => Some(Column::Json("custom", path.0[1..].to_vec())),
            _ => None,
        }
    }
}

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Parameter::Integer(integer) => ToSqlOutput::from(*integer),
            Parameter::Real(real) => ToSqlOutput::from(*real),
            Parameter::Text(text) => ToSqlOutput::from(text.as_str()),
        })
    }
}

fn sql(text: &str) -> Result<Sql, NotInSql> {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_sql(&Table)
}

#[test]
fn values_are_bound_and_never_written() {
    let injected = sql("name == \"'; DROP TABLE users; --\" && custom[\"a') --\"] > 1").unwrap();
    assert!(!injected.condition.contains("DROP") && !injected.condition.contains("--"), "{injected:?}");
    assert_eq!(injected.parameters.len(), injected.condition.matches('?').count());
    assert_eq!(sql("name LIKE 'a*\\*_%'").unwrap().parameters, [Parameter::Text("a%*\\_\\%".into())]);
}

#[test]
fn what_sql_cannot_say_is_told_where() {
    for (text, at, problem) in [
        ("name == 'a' && nome == 'b'", 15, "there is no field nome"),
        ("name", 0, "compare it with a value"),
        ("name CONTAINS 'a'", 0, "CONTAINS cannot be used here"),
        ("'a' LIKE name", 0, "LIKE cannot be used here"),
        ("name == type", 8, "a field is compared with a value"),
        ("custom.a + 1 == 2", 0, "a comparison has a field on one of its sides"),
        ("1 == 1", 0, "a comparison has a field"),
    ] {
        let error = sql(text).unwrap_err();
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.problem.contains(problem), "{text}: {error}");
    }
}

fn row() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    let leaf = || {
        prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("false".to_owned()),
            (-2i64..3).prop_map(|number| number.to_string()),
            Just("1.5".to_owned()),
            "[ab1]{0,2}".prop_map(|text| format!("\"{text}\"")),
            Just("[1]".to_owned()),
            Just("{\"y\":\"a\"}".to_owned()),
        ]
    };
    let custom = (leaf(), leaf()).prop_map(|(a, b)| format!("{{\"x\":{a},\"y z\":{b}}}"));
    (proptest::option::of("[abAB1]{0,3}"), proptest::option::of(custom))
}

fn filter() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just("name"),
        Just("custom.x"),
        Just("custom[\"y z\"]"),
        Just("custom.x.y"),
        Just("custom.no"),
    ];
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        (-2i64..3).prop_map(|number| number.to_string()),
        Just("1.5".to_owned()),
        "[ab1*]{0,3}".prop_map(|text| format!("'{text}'")),
    ];
    let operator =
        prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">="), Just("LIKE")];
    let comparison = (field, operator, value).prop_flat_map(|(field, operator, value)| {
        let mirrored = operator != "LIKE";
        any::<bool>().prop_map(move |turned| match turned && mirrored {
            true => format!("{value} {operator} {field}"),
            false => format!("{field} {operator} {value}"),
        })
    });
    comparison.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("!({of})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

thread_local! {
    static DATABASE: Connection = {
        let database = Connection::open_in_memory().unwrap();
        database.execute("CREATE TABLE users (name TEXT, type TEXT, custom TEXT)", []).unwrap();
        database
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn sql_says_what_evaluation_says((name, custom) in row(), text in filter()) {
        let filter = Filter::parse(&text).unwrap();
        let evaluated = filter.matches(|path| match &*path.names().unwrap_or_default() {
            ["name"] => name.as_deref().map_or(Value::Null, |name| Value::Text(name.into())),
            _ => custom.as_deref().map_or(Value::Null, |custom| find(custom, &path.0[1..])),
        });
        let Sql { condition, parameters } = filter.to_sql(&Table).unwrap();
        let selected: i64 = DATABASE.with(|database| {
            database.execute("DELETE FROM users", []).unwrap();
            database.execute("INSERT INTO users VALUES (?, NULL, ?)", (&name, &custom)).unwrap();
            let query = format!("SELECT count(*) FROM users WHERE {condition}");
            database.query_row(&query, params_from_iter(&parameters), |row| row.get(0)).unwrap()
        });
        prop_assert_eq!(selected == 1, evaluated, "{} is {} {:?}", text, condition, parameters);
    }
}
