//! Conditions of SQL that say the same as filters: for SQLite, with every value of the filter's a bound parameter.

use crate::{Expression, Filter, Number, Operation, Operator, Path, Segment, Value, like};

/// What the fields of a filter are in a table.
pub trait Columns {
    /// The column of a field. None: there is no such field.
    fn column(&self, path: &Path) -> Option<Column>;
}

/// Where the value of a field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// A column of text or NULL, as it is written in SQL. Never made of what a client sent.
    Text(&'static str),
    /// A value within a column of JSON: the column as it is written in SQL, and the way from its top.
    Json(&'static str, Vec<Segment>),
}

/// A condition, to stand where SQL has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sql {
    /// With a `?` for each of the parameters. It is 0 or 1, never NULL.
    pub condition: String,
    /// In the order of the `?`.
    pub parameters: Vec<Parameter>,
}

/// A value to be bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// A text.
    Text(String),
}

/// A filter has no condition in SQL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {problem}")]
pub struct NotInSql {
    /// The byte of the filter's text that it is about, counted from 0.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
}

impl Filter {
    /// The condition that holds for the rows that the filter lets through.
    ///
    /// # Errors
    /// It names a field that is no column, or does what only [`Filter::matches`] can: arithmetic, `CONTAINS`, comparing two fields, or
    /// taking a field for a condition.
    pub fn to_sql(&self, columns: &impl Columns) -> Result<Sql, NotInSql> {
        let mut compiler = Compiler { columns, sql: Sql::default() };
        compiler.condition(self.expression())?;
        Ok(compiler.sql)
    }
}

struct Compiler<'c, C> {
    columns: &'c C,
    sql: Sql,
}

impl<C: Columns> Compiler<'_, C> {
    fn condition(&mut self, expression: &Expression) -> Result<(), NotInSql> {
        match &expression.operation {
            Operation::Literal(value) => {
                self.write(if value.is_true() { "1" } else { "0" });
                Ok(())
            }
            Operation::Not(of) => {
                self.write("NOT ");
                self.in_parentheses(of)
            }
            Operation::Binary(left, operator @ (Operator::And | Operator::Or), right) => {
                self.in_parentheses(left)?;
                self.write(if *operator == Operator::And { " AND " } else { " OR " });
                self.in_parentheses(right)
            }
            Operation::Binary(left, operator, right) => self.comparison(expression, left, *operator, right),
            Operation::Field(_) | Operation::Negate(_) => {
                Err(not_in_sql(expression, "compare it with a value, by == or another operator"))
            }
        }
    }

    fn in_parentheses(&mut self, expression: &Expression) -> Result<(), NotInSql> {
        self.write("(");
        self.condition(expression)?;
        self.write(")");
        Ok(())
    }

    fn comparison(
        &mut self,
        whole: &Expression,
        left: &Expression,
        operator: Operator,
        right: &Expression,
    ) -> Result<(), NotInSql> {
        let (field, operator, value) = match (&left.operation, &right.operation) {
            (Operation::Field(path), _) => ((left, path), operator, value_of(right)?),
            (_, Operation::Field(path)) => {
                let mirrored = operator.mirrored().ok_or_else(|| unsupported(whole, operator))?;
                ((right, path), mirrored, value_of(left)?)
            }
            _ => return Err(not_in_sql(left, "a comparison has a field on one of its sides")),
        };
        let (at, path) = field;
        let column = self.columns.column(path);
        let column = column.ok_or_else(|| not_in_sql(at, &format!("there is no field {path}")))?;
        match operator {
            Operator::Equal => self.equal(&column, &value),
            Operator::NotEqual => {
                self.write("NOT (");
                self.equal(&column, &value);
                self.write(")");
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.ordered(&column, operator, &value);
            }
            Operator::Like => self.like(&column, &value),
            _ => return Err(unsupported(whole, operator)),
        }
        Ok(())
    }

    fn equal(&mut self, column: &Column, value: &Value<'_>) {
        match (column, value) {
            (Column::Text(name), Value::Null) => self.write(&format!("{name} IS NULL")),
            (Column::Json(..), Value::Null) => {
                self.write("coalesce(");
                self.json("json_type", column);
                self.write(", 'null') IS 'null'");
            }
            (Column::Json(..), Value::Boolean(boolean)) => {
                self.json("json_type", column);
                self.write(if *boolean { " IS 'true'" } else { " IS 'false'" });
            }
            (_, value) => self.ordered(column, Operator::Equal, value),
        }
    }

    /// Values of the same type in their order: of another there is none, whatever SQLite says.
    fn ordered(&mut self, column: &Column, operator: Operator, value: &Value<'_>) {
        let (types, value) = match value {
            Value::Number(Number::Whole(whole)) => (Types::Numbers, Parameter::Integer(*whole)),
            Value::Number(Number::Real(real)) => (Types::Numbers, Parameter::Real(*real)),
            Value::Text(text) => (Types::Texts, Parameter::Text(text.to_string())),
            Value::Null | Value::Boolean(_) | Value::Json(_) => return self.write("0"),
        };
        let sign = if operator == Operator::Equal { "=" } else { operator.as_str() };
        self.of_type(column, types, &format!(" {sign} ?"), value);
    }

    fn like(&mut self, column: &Column, value: &Value<'_>) {
        let Value::Text(pattern) = value else { return self.write("0") };
        let escaped = |piece: String| piece.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pieces: Vec<String> = like::pieces(pattern).into_iter().map(escaped).collect();
        let pattern = Parameter::Text(pieces.join("%"));
        self.of_type(column, Types::Texts, " LIKE ? ESCAPE '\\'", pattern);
    }

    /// A condition on a column, which does not hold where its value is of another type.
    fn of_type(&mut self, column: &Column, types: Types, condition: &str, parameter: Parameter) {
        match (column, types) {
            (Column::Text(_), Types::Numbers) => return self.write("0"),
            (Column::Text(name), Types::Texts) => {
                self.write(&format!("{name} IS NOT NULL AND {name}{condition}"));
            }
            (Column::Json(..), types) => {
                self.write("coalesce(");
                self.json("json_type", column);
                self.write(match types {
                    Types::Numbers => " IN ('integer', 'real') AND ",
                    Types::Texts => " IS 'text' AND ",
                });
                self.json("json_extract", column);
                self.write(&format!("{condition}, 0)"));
            }
        }
        self.sql.parameters.push(parameter);
    }

    fn json(&mut self, function: &str, column: &Column) {
        let Column::Json(name, path) = column else { return };
        self.write(&format!("{function}({name}, ?)"));
        self.sql.parameters.push(Parameter::Text(json_path(path)));
    }

    fn write(&mut self, sql: &str) {
        self.sql.condition.push_str(sql);
    }
}

/// The types of values that have an order.
#[derive(Clone, Copy)]
enum Types {
    Numbers,
    Texts,
}

/// A value as it is written, or with a minus before it.
fn value_of(expression: &Expression) -> Result<Value<'static>, NotInSql> {
    match &expression.operation {
        Operation::Literal(value) => Ok(value.clone()),
        Operation::Negate(of) => match value_of(of)? {
            Value::Number(Number::Whole(whole)) => Ok(Value::Number(match whole.checked_neg() {
                Some(whole) => Number::Whole(whole),
                None => Number::Real(-(whole as f64)),
            })),
            Value::Number(Number::Real(real)) => Ok(Value::Number(Number::Real(-real))),
            _ => Ok(Value::Null),
        },
        _ => Err(not_in_sql(expression, "a field is compared with a value")),
    }
}

/// As SQLite wants it. It has no way to name a member with a quote in it: that finds nothing.
fn json_path(path: &[Segment]) -> String {
    let mut text = String::from("$");
    for segment in path {
        match segment {
            Segment::Name(name) if name.contains(['"', '\\']) || name.contains(char::is_control) => {
                return "$.\"\".\"\"".into();
            }
            Segment::Name(name) => text.push_str(&format!(".\"{name}\"")),
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn unsupported(expression: &Expression, operator: Operator) -> NotInSql {
    not_in_sql(expression, &format!("{} cannot be used here", operator.as_str()))
}

fn not_in_sql(expression: &Expression, problem: &str) -> NotInSql {
    NotInSql { at: expression.at, problem: problem.into() }
}

#[cfg(test)]
mod tests;
