//! The grammar.

mod literal;

use winnow::combinator::{alt, cut_err, delimited, eof, not, opt, peek, preceded, repeat, terminated};
use winnow::error::{ContextError, ErrMode, StrContext, StrContextValue};
use winnow::stream::{Location, Stateful};
use winnow::token::{one_of, take_while};
use winnow::{LocatingSlice, ModalResult, Parser};

use self::literal::{literal, text};
use crate::{Expression, FILTER_DEPTH_MAX, InvalidFilter, Operation, Operator, Path, Segment};

/// The text that is left, and how deep in it we are.
type Input<'a> = Stateful<LocatingSlice<&'a str>, usize>;

/// Words that are no fields.
const WORDS: [&str; 5] = ["true", "false", "null", "like", "contains"];

/// Reads a whole filter.
pub(crate) fn filter(text: &str) -> Result<Expression, InvalidFilter> {
    let input = Stateful { input: LocatingSlice::new(text), state: 0 };
    let end = eof.context(expected("an operator or the end"));
    let parsed = delimited(space, any_of(Level::Or), end).parse(input);
    parsed.map_err(|error| InvalidFilter::at(text, error.offset(), problem(error.inner())))
}

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

/// What the parsers along the way said that could be there, the nearest alone.
fn problem(error: &ContextError) -> String {
    let nearest = error.context().find_map(|context| match context {
        StrContext::Expected(StrContextValue::Description(what)) => Some(*what),
        _ => None,
    });
    match nearest {
        Some(DEEP) => DEEP.to_owned(),
        Some(what) => format!("expected {what}"),
        None => "this means nothing here".to_owned(),
    }
}

const DEEP: &str = "it is nested too deep";

/// How tightly operators bind, the weakest first.
#[derive(Clone, Copy)]
enum Level {
    Or,
    And,
    Not,
    Sum,
    Product,
    Negation,
}

/// An expression whose operators bind at least so tightly.
fn any_of<'a>(level: Level) -> impl FnMut(&mut Input<'a>) -> ModalResult<Expression> {
    move |input| match level {
        Level::Or => chain(input, Level::And, "||".value(Operator::Or)),
        Level::And => chain(input, Level::Not, "&&".value(Operator::And)),
        Level::Not => not_level(input),
        Level::Sum => {
            chain(input, Level::Product, alt(('+'.value(Operator::Add), '-'.value(Operator::Subtract))))
        }
        Level::Product => chain(
            input,
            Level::Negation,
            alt(('*'.value(Operator::Multiply), '/'.value(Operator::Divide), '%'.value(Operator::Remainder))),
        ),
        Level::Negation => negation(input),
    }
}

/// Operands of the next level with operators between them, done from the left.
fn chain<'a>(
    input: &mut Input<'a>,
    operands: Level,
    mut operator: impl Parser<Input<'a>, Operator, ErrMode<ContextError>>,
) -> ModalResult<Expression> {
    let mut left = any_of(operands)(input)?;
    while let Some(operator) = opt(terminated(operator.by_ref(), space)).parse_next(input)? {
        let right = cut_err(any_of(operands)).parse_next(input)?;
        left = binary(left, operator, right);
    }
    Ok(left)
}

fn binary(left: Expression, operator: Operator, right: Expression) -> Expression {
    Expression { at: left.at, operation: Operation::Binary(left.into(), operator, right.into()) }
}

fn not_level(input: &mut Input<'_>) -> ModalResult<Expression> {
    let at = input.current_token_start();
    let is_not = opt(terminated(terminated('!', not('=')), space)).parse_next(input)?.is_some();
    if !is_not {
        return comparison(input);
    }
    let of = deeper(input, |input| cut_err(not_level).parse_next(input))?;
    Ok(Expression { at, operation: Operation::Not(of.into()) })
}

fn comparison(input: &mut Input<'_>) -> ModalResult<Expression> {
    let left = any_of(Level::Sum)(input)?;
    let Some(operator) = opt(terminated(comparator, space)).parse_next(input)? else { return Ok(left) };
    let right = cut_err(any_of(Level::Sum)).parse_next(input)?;
    // Comparisons of comparisons mean different things to different people.
    not(comparator).context(expected("&&, ||, ) or the end")).parse_next(input).map_err(ErrMode::cut)?;
    Ok(binary(left, operator, right))
}

fn comparator(input: &mut Input<'_>) -> ModalResult<Operator> {
    alt((
        "==".value(Operator::Equal),
        "!=".value(Operator::NotEqual),
        "<=".value(Operator::LessOrEqual),
        ">=".value(Operator::GreaterOrEqual),
        '<'.value(Operator::Less),
        '>'.value(Operator::Greater),
        word("like").value(Operator::Like),
        word("contains").value(Operator::Contains),
    ))
    .parse_next(input)
}

fn negation(input: &mut Input<'_>) -> ModalResult<Expression> {
    let at = input.current_token_start();
    if opt(terminated('-', space)).parse_next(input)?.is_none() {
        return primary(input);
    }
    let of = deeper(input, |input| cut_err(negation).parse_next(input))?;
    Ok(Expression { at, operation: Operation::Negate(of.into()) })
}

fn primary(input: &mut Input<'_>) -> ModalResult<Expression> {
    let at = input.current_token_start();
    if opt(terminated('(', space)).parse_next(input)?.is_some() {
        let inner = deeper(input, |input| cut_err(any_of(Level::Or)).parse_next(input))?;
        cut_err(terminated(')', space)).context(expected("an operator or )")).parse_next(input)?;
        return Ok(Expression { at, ..inner });
    }
    let operation = alt((literal.map(Operation::Literal), path.map(Operation::Field)));
    let operation =
        terminated(operation, space).context(expected("a field, a value, ! or (")).parse_next(input)?;
    Ok(Expression { at, operation })
}

/// Goes on a level deeper, if that is allowed.
fn deeper<'a>(
    input: &mut Input<'a>,
    parse: impl FnOnce(&mut Input<'a>) -> ModalResult<Expression>,
) -> ModalResult<Expression> {
    if input.state >= FILTER_DEPTH_MAX {
        return cut_err(winnow::combinator::fail).context(expected(DEEP)).parse_next(input);
    }
    input.state += 1;
    let parsed = parse(input);
    input.state -= 1;
    parsed
}

fn path(input: &mut Input<'_>) -> ModalResult<Path> {
    let first = name.verify(|name: &str| !WORDS.contains(&&*name.to_ascii_lowercase())).parse_next(input)?;
    let member = preceded(('.', space), cut_err(name.context(expected("a name"))));
    let inside = alt((index.map(Segment::Index), text.map(|name| Segment::Name(name.into()))));
    let inside = cut_err(terminated(inside, space).context(expected("a number or a text in quotes")));
    let end = cut_err(']'.context(expected("]")));
    let step =
        alt((member.map(|name: &str| Segment::Name(name.into())), delimited(('[', space), inside, end)));
    let rest: Vec<Segment> = repeat(0.., preceded(peek(one_of(['.', '['])), step)).parse_next(input)?;
    Ok(Path(std::iter::once(Segment::Name(first.into())).chain(rest).collect()))
}

fn index(input: &mut Input<'_>) -> ModalResult<usize> {
    take_while(1..=9, '0'..='9').parse_to().parse_next(input)
}

fn name<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    (one_of(begins_name), take_while(0.., goes_on_in_name)).take().parse_next(input)
}

/// A word in any case, with nothing behind it that would make it a name.
fn word<'a>(word: &'static str) -> impl Parser<Input<'a>, (), ErrMode<ContextError>> {
    terminated(winnow::ascii::Caseless(word), not(one_of(goes_on_in_name))).void()
}

fn begins_name(character: char) -> bool {
    character.is_alphabetic() || ['_', '$'].contains(&character)
}

fn goes_on_in_name(character: char) -> bool {
    begins_name(character) || character.is_numeric()
}

fn space(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

#[cfg(test)]
mod tests;
