"""Redshift's syntax as PostgreSQL's: the only SQL that PostgreSQL's parser rejects outright.

Works token by token and never touches strings, quoted names and comments. Functions and catalogs
that only Redshift has need no help here: redshift_compat.sql creates them.
"""

import re

# Most statements hold none of these words and are passed on untouched.
INTERESTING = re.compile(
    r"\b(?:backup|diststyle|distkey|sortkey|encode|dateadd|datediff"
    r"|max|show|query_group|enable_case_sensitive_identifier|schema)\b",
    re.I,
)

TOKEN = re.compile(
    r"""
    (?P<skip>   \s+ | --[^\n]* | /\*.*?\*/ )
  | (?P<string> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<ident>  "(?:[^"]|"")*" )
  | (?P<word>   [A-Za-z_]\w* )
  | (?P<other>  . )""",
    re.X | re.S,
)

# Session settings of Redshift.  PostgreSQL takes any name that holds a dot.
SETTINGS = {"query_group", "enable_case_sensitive_identifier"}

# SHOW <thing> FROM <name>: answered by a set-returning function of the compat SQL.
SHOW = {
    ("schemas", "from", "database"): "redshift_show_schemas",
    ("tables", "from", "schema"): "redshift_show_tables",
    ("columns", "from", "table"): "redshift_show_columns",
    ("grants", "on", "table"): "redshift_show_grants",
}


class Tokens:
    """One statement's tokens, without blanks and comments."""

    def __init__(self):
        self.low = []  # lower-cased text: what the rules compare
        self.raw = []  # text as written
        self.span = []  # (start, end) in the SQL text
        self.depth = []  # how many parentheses it is in

    def __len__(self):
        return len(self.low)

    def at(self, i):
        return self.low[i] if 0 <= i < len(self) else ""

    def close(self, i):
        """Index of the parenthesis that closes the one at i."""
        for j in range(i + 1, len(self)):
            if self.low[j] == ")" and self.depth[j] == self.depth[i]:
                return j
        return i


def statements(sql):
    tokens, depth = Tokens(), 0
    for m in TOKEN.finditer(sql):
        text = m.group()
        if m.lastgroup == "skip":
            continue
        if text == ";" and depth == 0:
            yield tokens
            tokens = Tokens()
            continue
        depth -= text == ")"
        tokens.low.append(text.lower())
        tokens.raw.append(text)
        tokens.span.append(m.span())
        tokens.depth.append(depth)
        depth += text == "("
    yield tokens


def rewrite(sql):
    """Return sql with Redshift-only syntax taken out or replaced.

    CREATE TABLE   BACKUP, DISTSTYLE, DISTKEY, [COMPOUND|INTERLEAVED] SORTKEY and
                   ENCODE are blanked: they say how rows are stored, not which.
    CREATE VIEW    WITH NO SCHEMA BINDING is blanked.
    CREATE SCHEMA  and DROP SCHEMA: of db.schema, "db." is blanked.
    DATEADD(day,   and DATEDIFF: the bare date part becomes a string, 'day'.
    VARCHAR(MAX)   becomes VARCHAR(65535).
    SET/RESET      query_group and the like become redshift.query_group.
    SHOW TABLES    and the like become SELECT * FROM redshift_show_tables(...).

    Strings, quoted names and comments are never touched.
    """
    if not INTERESTING.search(sql):
        return sql
    edits = []  # (start, end, new text); None: as many blanks, so that
    for t in statements(sql):  # error positions stay right
        edits += _schema(t)
        edits += _create(t)
        edits += _show_or_set(t)
        edits += _anywhere(t)
    for start, end, new in sorted(edits, reverse=True):
        if new is None:
            new = re.sub(r"[^\n]", " ", sql[start:end])
        sql = sql[:start] + new + sql[end:]
    return sql


def _schema(t):
    if t.at(0) in ("create", "drop") and t.at(1) == "schema":
        for i in range(3, len(t)):
            if t.low[i] == ".":
                yield t.span[i - 1][0], t.span[i][1], None


def _create(t):
    if t.at(0) != "create":
        return
    head = t.low[1:4]
    if "view" in head:
        for i in range(len(t)):
            if t.low[i : i + 4] == ["with", "no", "schema", "binding"]:
                yield t.span[i][0], t.span[i + 3][1], None
        return
    if "table" not in head:
        return
    i = t.low.index("table") + 1
    while i < len(t):
        if t.depth[i] == 0 and t.at(i) == "as":
            return  # the query of CREATE TABLE AS
        # In a column list a word right after "(" or "," is a column's name.
        end = None if t.at(i - 1) in ("(", ",") else _storage_clause(t, i)
        if end is None:
            i += 1
        else:
            yield t.span[i][0], t.span[end][1], None
            i = end + 1


def _storage_clause(t, i):
    """Index of the last token of the storage clause that starts at i, or None."""
    word, following = t.at(i), t.at(i + 1)
    if word in ("diststyle", "encode") or (word == "backup" and following in ("yes", "no")):
        return i + 1
    if word in ("compound", "interleaved") and following == "sortkey":
        return _storage_clause(t, i + 1)
    if word in ("distkey", "sortkey"):
        if following == "(":
            return t.close(i + 1)
        return i + 1 if following == "auto" else i
    return None


def _show_or_set(t):
    if t.at(0) in ("set", "reset", "show"):
        i = 2 if t.at(1) in ("session", "local") else 1
        if t.at(i) in SETTINGS:
            yield (*t.span[i], "redshift." + t.at(i))
    if t.at(0) == "show" and tuple(t.low[1:4]) in SHOW:
        args, rest = [], t.raw[4:]
        while rest and rest[0].lower() != "like":
            name = rest.pop(0)
            if name != ".":
                plain = name[1:-1].replace('""', '"') if name[0] == '"' else name.lower()
                args.append("'" + plain.replace("'", "''") + "'")
        query = f"select * from pg_catalog.{SHOW[tuple(t.low[1:4])]}({', '.join(args)})"
        if rest:  # SHOW SCHEMAS ... LIKE 'x': the name is in column 2
            query += " where schema_name like " + rest[1]
        yield t.span[0][0], t.span[-1][1], query


def _anywhere(t):
    for i in range(len(t)):
        is_call = t.low[i] in ("dateadd", "datediff") and t.at(i + 1) == "("
        if is_call and t.at(i + 3) == "," and t.low[i + 2].isidentifier():
            yield (*t.span[i + 2], "'" + t.low[i + 2] + "'")
        if t.low[i] in ("varchar", "varying") and t.low[i + 1 : i + 4] == ["(", "max", ")"]:
            yield (*t.span[i + 2], "65535")
