"""What the stand-in rewrites, and what it must leave alone. Run with: python3 -m unittest discover
tests/redshift_standin
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import wire
from rewrite import rewrite


def squeezed(sql):
    """Without the runs of blanks that stand where something was taken out."""
    return re.sub(r"\s+", " ", rewrite(sql)).replace(" ;", ";").strip()


class CreateTable(unittest.TestCase):
    def test_storage_clauses_go(self):
        sql = (
            "create table t (a int encode az64 distkey, "
            "b int sortkey) backup no diststyle key compound sortkey (a, b)"
        )
        self.assertEqual(squeezed(sql), "create table t (a int , b int )")

    def test_columns_of_such_names_stay(self):
        self.assertEqual(
            rewrite("create table t (encode int, sortkey int)"),
            "create table t (encode int, sortkey int)",
        )

    def test_the_query_of_create_table_as_stays(self):
        sql = "create table t diststyle all as (select encode(x, 'hex') as backup from y)"
        self.assertEqual(
            squeezed(sql), "create table t as (select encode(x, 'hex') as backup from y)"
        )

    def test_positions_of_what_follows_stay(self):
        sql = "create table t (a int) diststyle even;\nselect nonsense"
        self.assertEqual(len(rewrite(sql)), len(sql))
        self.assertEqual(rewrite(sql).count("\n"), 1)

    def test_varchar_max(self):
        self.assertEqual(
            rewrite("create table t (a varchar(max))"), "create table t (a varchar(65535))"
        )


class OtherStatements(unittest.TestCase):
    def test_late_binding_view(self):
        self.assertEqual(
            squeezed("create view v as (select 1) with no schema binding;"),
            "create view v as (select 1);",
        )

    def test_schema_of_a_database(self):
        self.assertEqual(
            squeezed('create schema if not exists "dev"."s"'), 'create schema if not exists "s"'
        )

    def test_date_part_becomes_a_string(self):
        self.assertEqual(rewrite("select dateadd(day, 1, x)"), "select dateadd('day', 1, x)")
        self.assertEqual(rewrite("select datediff(week, a, b)"), "select datediff('week', a, b)")

    def test_setting_gets_a_prefix(self):
        self.assertEqual(rewrite("set query_group to 'x'"), "set redshift.query_group to 'x'")

    def test_show_becomes_a_function(self):
        self.assertEqual(
            rewrite('show tables from schema "dev"."it\'s"'),
            "select * from pg_catalog.redshift_show_tables('dev', 'it''s')",
        )


class Untouched(unittest.TestCase):
    def test_strings_comments_and_quoted_names(self):
        for sql in [
            "select 'dateadd(day, 1, x)', \"varchar(max)\" -- backup no\n"
            ", $$diststyle all$$, e'\\'sortkey' /* encode zstd */",
            "select 1",
            "select max(a) from t",
        ]:
            self.assertEqual(rewrite(sql), sql)

    def test_every_statement_of_several(self):
        self.assertEqual(
            rewrite("select dateadd(day,1,x); select 'a;b', dateadd(day,2,x)"),
            "select dateadd('day',1,x); select 'a;b', dateadd('day',2,x)",
        )


class Wire(unittest.TestCase):
    def test_length_counts_itself(self):
        self.assertEqual(wire.message(b"Q", b"x\0"), b"Q\0\0\0\x06x\0")


if __name__ == "__main__":
    unittest.main()
