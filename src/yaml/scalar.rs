//! Owns the types of YAML 1.1 as PyYAML finds them: `yes` is a truth value, `010` is eight, `1:30`
//! is ninety.
//!
//! Pure.

/// A scalar as it is written, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
    /// The key `<<`, unquoted.
    Merge,
    /// A date, a time, bytes, and numbers too large for this program.
    Other,
}

impl Scalar {
    /// Without quotes and tag.
    pub(super) fn plain(text: String) -> Self {
        let kind = kind_of(&text);
        Self { text, kind }
    }

    pub(super) fn quoted(text: String) -> Self {
        let kind = Kind::Text;
        Self { text, kind }
    }

    /// With a tag, which may contradict the text: then PyYAML refuses it.
    pub(super) fn tagged(text: String, tag: &str) -> Option<Self> {
        let kind = match (tag, kind_of(&text)) {
            ("str", _) => Kind::Text,
            ("null", _) => Kind::Null,
            ("bool", kind @ Kind::Bool(_)) | ("int", kind @ Kind::Int(_)) => kind,
            ("float", Kind::Float(number)) => Kind::Float(number),
            #[expect(clippy::cast_precision_loss, reason = "so does Python")]
            ("float", Kind::Int(number)) => Kind::Float(number as f64),
            ("timestamp" | "binary", _) => Kind::Other,
            _ => return None,
        };
        Some(Self { text, kind })
    }
}

fn kind_of(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Kind::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Kind::Bool(false)
        }
        "<<" => Kind::Merge,
        _ => number(text).unwrap_or_else(|| {
            if is_time(text) {
                Kind::Other
            } else {
                Kind::Text
            }
        }),
    }
}

fn number(text: &str) -> Option<Kind> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    match digits {
        ".inf" | ".Inf" | ".INF" => {
            let infinite = f64::INFINITY;
            return Some(Kind::Float(if negative { -infinite } else { infinite }));
        }
        ".nan" | ".NaN" | ".NAN" if digits == text => return Some(Kind::Float(f64::NAN)),
        _ => {}
    }
    if is_integer(digits) {
        let number = integer(digits).map(|number| if negative { -number } else { number });
        return Some(number.map_or(Kind::Other, Kind::Int));
    }
    let number = float(digits, digits != text)?;
    Some(Kind::Float(if negative { -number } else { number }))
}

/// Without its sign.
fn is_integer(digits: &str) -> bool {
    let all = |text: &str, radix: u32| {
        !text.is_empty() && text.chars().all(|char| char == '_' || char.is_digit(radix))
    };
    match digits.as_bytes() {
        [b'0'] => true,
        [b'0', b'b', ..] => all(&digits[2..], 2),
        [b'0', b'x', ..] => all(&digits[2..], 16),
        [b'0', ..] => all(&digits[1..], 8),
        [b'1'..=b'9', ..] => {
            let mut parts = digits.split(':');
            parts.next().is_some_and(|first| all(first, 10))
                && parts.all(|part| sixtieth(part).is_some())
        }
        _ => false,
    }
}

/// `None` for a number that is too large.
fn integer(digits: &str) -> Option<i128> {
    let digits = digits.replace('_', "");
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'b', ..] => (&digits[2..], 2),
        [b'0', b'x', ..] => (&digits[2..], 16),
        [b'0', ..] => (&digits[..], 8),
        _ => (&digits[..], 10),
    };
    digits.split(':').try_fold(0_i128, |total, part| {
        let part = i128::from_str_radix(part, radix).ok()?;
        total.checked_mul(60)?.checked_add(part)
    })
}

/// `0` to `59`, one or two digits.
fn sixtieth(text: &str) -> Option<i128> {
    let is_plain = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number < 60)
}

/// Without its sign. One that begins with its point has none.
fn float(digits: &str, has_sign: bool) -> Option<f64> {
    let is_digits = |text: &str| {
        text.bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_digit())
    };
    let begins_with_digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let (whole, rest) = digits.split_once('.')?;
    if let Some((hours, minutes)) = whole.split_once(':') {
        if !begins_with_digit(hours) || !is_digits(hours) || !is_digits(rest) {
            return None;
        }
        let mut total: f64 = hours.replace('_', "").parse().ok()?;
        let mut parts = minutes.split(':').peekable();
        while let Some(part) = parts.next() {
            sixtieth(part)?;
            let text = if parts.peek().is_none() {
                format!("{part}.{}", rest.replace('_', ""))
            } else {
                part.to_owned()
            };
            total = total * 60.0 + text.parse::<f64>().ok()?;
        }
        return Some(total);
    }
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let is_exponent = |text: &str| {
        text.strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_whole = if whole.is_empty() {
        !has_sign && begins_with_digit(fraction)
    } else {
        begins_with_digit(whole) && is_digits(whole)
    };
    if !is_whole || !is_digits(fraction) || !exponent.is_none_or(is_exponent) {
        return None;
    }
    let plain = format!("0{whole}.{fraction}0e{}", exponent.unwrap_or("0"));
    plain.replace('_', "").parse().ok()
}

/// `2026-11-22`, `2026-1-2T03:04:05.6 +01:00`.
fn is_time(text: &str) -> bool {
    let digits = |text: &str, fewest: usize, most: usize| {
        (fewest..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    if digits(year, 4, 4) && digits(month, 2, 2) && digits(rest, 2, 2) {
        return true;
    }
    let Some((day, time)) = rest.split_once(['T', 't', ' ', '\t']) else {
        return false;
    };
    let time = time.trim_start_matches([' ', '\t']);
    let end = time
        .find(|char: char| !char.is_ascii_digit() && char != ':' && char != '.')
        .unwrap_or(time.len());
    let (clock, zone) = time.split_at(end);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let clock: Vec<&str> = clock.split(':').collect();
    let zone = zone.trim_start_matches([' ', '\t']);
    let is_zone = zone.is_empty()
        || zone == "Z"
        || zone.strip_prefix(['-', '+']).is_some_and(|zone| {
            let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
            digits(hours, 1, 2) && digits(minutes, 2, 2)
        });
    digits(year, 4, 4)
        && digits(month, 1, 2)
        && digits(day, 1, 2)
        && matches!(clock[..], [h, m, s] if digits(h, 1, 2) && digits(m, 2, 2) && digits(s, 2, 2))
        && digits(fraction, 0, usize::MAX)
        && is_zone
}
