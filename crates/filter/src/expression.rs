use std::fmt;

use crate::Value;

/// A part of a filter, and where in the text it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// The byte that it begins at.
    pub at: usize,
    /// What it does.
    pub operation: Operation,
}

/// What an expression does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A value as it is written.
    Literal(Value<'static>),
    /// The value of a field.
    Field(Path),
    /// `!a`
    Not(Box<Expression>),
    /// `-a`
    Negate(Box<Expression>),
    /// Two expressions with an operator between them.
    Binary(Box<Expression>, Operator, Box<Expression>),
}

/// What stands between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `LIKE`
    Like,
    /// `CONTAINS`
    Contains,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

impl Operator {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Or => "||",
            Operator::And => "&&",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Like => "LIKE",
            Operator::Contains => "CONTAINS",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        }
    }

    /// The operator that says the same with both sides exchanged, if there is one.
    pub fn mirrored(self) -> Option<Operator> {
        match self {
            Operator::Equal | Operator::NotEqual => Some(self),
            Operator::Less => Some(Operator::Greater),
            Operator::LessOrEqual => Some(Operator::GreaterOrEqual),
            Operator::Greater => Some(Operator::Less),
            Operator::GreaterOrEqual => Some(Operator::LessOrEqual),
            _ => None,
        }
    }
}

/// The way to a field: at least one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Vec<Segment>);

/// One step of the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The member of an object.
    Name(Box<str>),
    /// The item of an array, counted from 0.
    Index(usize),
}

impl Path {
    /// The names, if it is made of names alone.
    pub fn names(&self) -> Option<Vec<&str>> {
        self.0.iter().map(Segment::name).collect()
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Segment::Name(name) => Some(name),
            Segment::Index(_) => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Name(name) if index == 0 => write!(f, "{name}")?,
                Segment::Name(name) => write!(f, ".{name}")?,
                Segment::Index(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}
