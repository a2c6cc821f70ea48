//! Values as they are written.

use winnow::ModalResult;
use winnow::Parser;
use winnow::combinator::{alt, cut_err, opt, peek, preceded};
use winnow::token::{any, one_of, take_while};

use super::{Input, expected, word};
use crate::{Number, Value};

pub(super) fn literal(input: &mut Input<'_>) -> ModalResult<Value<'static>> {
    alt((
        text.map(|text| Value::Text(text.into())),
        number.map(Value::Number),
        word("true").value(Value::Boolean(true)),
        word("false").value(Value::Boolean(false)),
        word("null").value(Value::Null),
    ))
    .parse_next(input)
}

fn number(input: &mut Input<'_>) -> ModalResult<Number> {
    let digits = || take_while(1.., '0'..='9');
    let fraction = opt(('.', cut_err(digits().context(expected("a digit")))));
    let sign = opt(one_of(['+', '-']));
    let exponent = opt((one_of(['e', 'E']), sign, cut_err(digits().context(expected("a digit")))));
    let written = (digits(), fraction, exponent).take();
    let number = written.verify_map(Number::parse).context(expected("a number that can be held"));
    preceded(peek(one_of('0'..='9')), cut_err(number)).parse_next(input)
}

/// In quotes of either sort. `\*` stays as it is: it means something to `LIKE`.
pub(super) fn text(input: &mut Input<'_>) -> ModalResult<String> {
    let quote = one_of(['"', '\'']).parse_next(input)?;
    let mut text = String::new();
    loop {
        let run = take_while(0.., |character| character != quote && character != '\\').parse_next(input)?;
        text.push_str(run);
        match cut_err(any.context(expected("a quote at the end"))).parse_next(input)? {
            '\\' => text.push_str(&cut_err(escaped).parse_next(input)?),
            _ => return Ok(text),
        }
    }
}

fn escaped(input: &mut Input<'_>) -> ModalResult<String> {
    let character = any.context(expected("a quote at the end")).parse_next(input)?;
    Ok(match character {
        '"' | '\'' | '/' => character.into(),
        'n' => "\n".into(),
        't' => "\t".into(),
        'r' => "\r".into(),
        'u' => {
            let code = code_unit.parse_next(input)?;
            let low = match (0xD800..0xDC00).contains(&code) {
                true => Some(preceded("\\u", code_unit).parse_next(input)?),
                false => None,
            };
            char::decode_utf16(std::iter::once(code).chain(low))
                .map(|one| one.unwrap_or('\u{fffd}'))
                .collect()
        }
        // Backslashes that LIKE looks at: `\*` and `\\`.
        other => format!("\\{other}"),
    })
}

fn code_unit(input: &mut Input<'_>) -> ModalResult<u16> {
    let digits = take_while(4..=4, |character: char| character.is_ascii_hexdigit());
    digits
        .try_map(|digits| u16::from_str_radix(digits, 16))
        .context(expected("four hexadecimal digits"))
        .parse_next(input)
}
