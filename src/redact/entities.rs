//! Owns the names that HTML has for characters which a password may hold: those of ASCII and of
//! Latin-1, and the euro.
//!
//! Never reads a stream.

/// No name here is longer.
pub(super) const LONGEST_NAME: usize = 7;

/// Encoders that name everything write these, too.
const ASCII: [(&str, char); 36] = [
    ("tab", '\t'),
    ("newline", '\n'),
    ("excl", '!'),
    ("quot", '"'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("amp", '&'),
    ("apos", '\''),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("lt", '<'),
    ("equals", '='),
    ("gt", '>'),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("verbar", '|'),
    ("rcub", '}'),
    ("euro", '€'),
];

/// From U+00A0 to U+00FF.
#[rustfmt::skip]
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect",
    "uml", "copy", "ordf", "laquo", "not", "shy", "reg", "macr",
    "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot",
    "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil",
    "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml",
    "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times",
    "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig",
    "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml",
    "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide",
    "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// The character with this name. The names of ASCII are taken in either case: some of them have
/// both, and none means two characters.
pub(super) fn named(name: &[u8]) -> Option<char> {
    let ascii = ASCII
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    if let Some((_, character)) = ascii {
        return Some(*character);
    }
    let place = LATIN_1.iter().position(|known| known.as_bytes() == name)?;
    char::from_u32(0xa0 + u32::try_from(place).ok()?)
}

#[cfg(test)]
pub(super) fn names_of(character: char) -> Vec<&'static str> {
    let ascii = ASCII.iter().filter(|(_, known)| *known == character);
    let place = u32::from(character).checked_sub(0xa0);
    let latin = place.and_then(|place| LATIN_1.get(place as usize).copied());
    ascii.map(|(name, _)| *name).chain(latin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_html() {
        for (name, character) in [
            ("amp", '&'),
            ("AMP", '&'),
            ("NewLine", '\n'),
            ("euro", '€'),
            ("nbsp", '\u{a0}'),
            ("Eacute", 'É'),
            ("eacute", 'é'),
            ("szlig", 'ß'),
            ("divide", '÷'),
            ("yuml", 'ÿ'),
        ] {
            assert_eq!(named(name.as_bytes()), Some(character), "{name}");
        }
        assert_eq!(named(b"EACUTE"), None);
        assert_eq!(named(b""), None);
    }

    #[test]
    fn no_name_is_longer_than_is_read() {
        let names = ASCII.iter().map(|(name, _)| *name).chain(LATIN_1);
        assert_eq!(names.map(str::len).max(), Some(LONGEST_NAME));
    }
}
