-- The Redshift functions and catalogs that dbt-redshift 1.11 asks for, as
-- PostgreSQL 15 objects.  Run once per database, by a superuser; running it
-- again is harmless.
--
-- Everything goes into pg_catalog: dbt-redshift names some of these without a
-- schema and some as pg_catalog.x, and pg_catalog is always on the search path
-- and never listed as a user's schema.  Redshift-only SYNTAX is not handled
-- here but by rewrite.py.

\set ON_ERROR_STOP on
begin;
set local allow_system_table_mods = on;     -- lets us create views in pg_catalog
set local client_min_messages = warning;

-- 1. Catalogs ---------------------------------------------------------------

-- Late-binding views: there are none here.  dbt calls this with its own list of
-- result columns, hence "setof record".
create or replace function pg_catalog.pg_get_late_binding_view_cols()
returns setof record language sql stable as $$
    select null::name, null::name, null::name, null::varchar, null::int where false
$$;

-- Spectrum's external tables: there are none here.
create or replace view pg_catalog.svv_external_columns as
select null::varchar as schemaname, null::varchar as tablename, null::varchar as columnname,
       null::varchar as external_type, null::int as columnnum
where false;

create or replace function pg_catalog.redshift_count_rows(tbl regclass)
returns bigint language plpgsql stable as $$
declare n bigint;
begin
    execute format('select count(*) from %s', tbl) into n;
    return n;
end $$;

-- What `dbt docs generate` shows as table statistics.  Size and row count are
-- real; what PostgreSQL has no notion of (distribution, sort keys, skew) is what
-- Redshift shows for a table that sets none of it.  Like the original it leaves
-- out empty tables.
create or replace view pg_catalog.svv_table_info as
select current_database()::varchar                          as "database",
       n.nspname::varchar                                   as "schema",
       c.oid                                                as table_id,
       c.relname::varchar                                   as "table",
       'N'::varchar                                         as encoded,
       'AUTO(ALL)'::varchar                                 as diststyle,
       'AUTO(SORTKEY)'::varchar                             as sortkey1,
       (select max(a.atttypmod - 4) from pg_attribute a
         where a.attrelid = c.oid and a.atttypid = 'varchar'::regtype
           and a.attnum > 0 and not a.attisdropped)         as max_varchar,
       null::varchar                                        as sortkey1_enc,
       0                                                    as sortkey_num,
       (pg_total_relation_size(c.oid) + 1048575) / 1048576  as size,
       0::numeric(10,4)                                     as pct_used,
       0::bigint                                            as "empty",
       null::numeric(5,2)                                   as unsorted,
       0::numeric(5,2)                                      as stats_off,
       r.n::numeric(38,0)                                   as tbl_rows,
       null::numeric(19,2)                                  as skew_sortkey1,
       null::numeric(19,2)                                  as skew_rows
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (select pg_catalog.redshift_count_rows(c.oid) as n
                    where has_table_privilege(c.oid, 'select')) r
where c.relkind = 'r' and c.relpersistence = 'p' and r.n > 0
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema';
grant select on pg_catalog.svv_external_columns, pg_catalog.svv_table_info to public;

-- 2. Only for `datasharing: true` in the profile ----------------------------
-- The proxy turns SHOW TABLES FROM SCHEMA db.s into
-- select * from redshift_show_tables('db', 's'), and so on.

create or replace view pg_catalog.svv_redshift_columns as
select table_catalog::varchar as database_name, table_schema::varchar as schema_name,
       table_name::varchar as table_name, column_name::varchar as column_name,
       ordinal_position::int as ordinal_position, data_type::varchar as data_type,
       col_description(format('%I.%I', table_schema, table_name)::regclass,
                       ordinal_position)::varchar as remarks
from information_schema.columns;
grant select on pg_catalog.svv_redshift_columns to public;

create or replace function pg_catalog.redshift_show_schemas(db text)
returns table (database_name varchar, schema_name varchar, schema_owner varchar, schema_type varchar)
language sql stable as $$
    select db, nspname, pg_get_userbyid(nspowner), 'local'
    from pg_namespace where db = current_database()
$$;

create or replace function pg_catalog.redshift_show_tables(db text, sch text)
returns table (database_name varchar, schema_name varchar, table_name varchar, table_type varchar,
               remarks varchar, owner varchar, last_modified_time timestamp, table_subtype varchar)
language sql stable as $$
    select db, sch, c.relname,
           case c.relkind when 'v' then 'VIEW' else 'TABLE' end,
           obj_description(c.oid, 'pg_class'), pg_get_userbyid(c.relowner),
           null::timestamp,
           case c.relkind when 'v' then 'REGULAR VIEW' else 'REGULAR TABLE' end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = sch and db = current_database() and c.relkind in ('r', 'p', 'f', 'v')
$$;

create or replace function pg_catalog.redshift_show_columns(db text, sch text, tbl text)
returns table (database_name varchar, schema_name varchar, table_name varchar, column_name varchar,
               ordinal_position int, data_type varchar, character_maximum_length int,
               numeric_precision int, numeric_scale int)
language sql stable as $$
    select table_catalog, table_schema, table_name, column_name, ordinal_position, data_type,
           character_maximum_length, numeric_precision, numeric_scale
    from information_schema.columns
    where table_catalog = db and table_schema = sch and table_name = tbl
    order by ordinal_position
$$;

create or replace function pg_catalog.redshift_show_grants(db text, sch text, tbl text)
returns table (identity_name varchar, identity_type varchar, privilege_type varchar)
language sql stable as $$
    select grantee, case grantee when 'PUBLIC' then 'public' else 'user' end, privilege_type
    from information_schema.role_table_grants
    where table_catalog = db and table_schema = sch and table_name = tbl
$$;

-- 3. Functions --------------------------------------------------------------
-- getdate() is what dbt-redshift uses for "now", source freshness included.
-- The others are what dbt's own cross-database macros and everyday Redshift SQL
-- use.  The proxy has already made the date part a string.

create or replace function pg_catalog.getdate() returns timestamp
language sql stable as $$ select date_trunc('second', statement_timestamp() at time zone 'UTC') $$;

create or replace function pg_catalog.len(text) returns int
language sql immutable strict as $$ select length($1) $$;

create or replace function pg_catalog.nvl(anycompatible, anycompatible) returns anycompatible
language sql immutable as $$ select coalesce($1, $2) $$;

create or replace function pg_catalog.dateadd(part text, n bigint, ts timestamp) returns timestamp
language sql immutable strict as $$
    select ts + case when lower(part) in ('quarter', 'quarters', 'qtr', 'q')
                     then make_interval(months => 3 * n::int)
                     else (n || ' ' || part)::interval end
$$;
create or replace function pg_catalog.dateadd(part text, n bigint, ts timestamptz) returns timestamptz
language sql stable strict as $$
    select pg_catalog.dateadd(part, n, ts at time zone 'UTC') at time zone 'UTC'
$$;
create or replace function pg_catalog.dateadd(part text, n bigint, ts date) returns timestamp
language sql immutable strict as $$ select pg_catalog.dateadd(part, n, ts::timestamp) $$;
create or replace function pg_catalog.dateadd(part text, n bigint, ts text) returns timestamp
language sql stable strict as $$ select pg_catalog.dateadd(part, n, ts::timestamp) $$;

-- Redshift counts the boundaries that lie between a and b.
create or replace function pg_catalog.datediff(part text, a timestamp, b timestamp) returns bigint
language sql immutable strict as $$
    select case
        when lower(part) in ('year', 'years', 'y', 'yr', 'yrs')
            then extract(year from b) - extract(year from a)
        when lower(part) in ('quarter', 'quarters', 'qtr', 'qtrs', 'q')
            then (extract(year from b) - extract(year from a)) * 4
                 + extract(quarter from b) - extract(quarter from a)
        when lower(part) in ('month', 'months', 'mon', 'mons')
            then (extract(year from b) - extract(year from a)) * 12
                 + extract(month from b) - extract(month from a)
        else round((extract(epoch from date_trunc(part, b)) - extract(epoch from date_trunc(part, a)))
                   / extract(epoch from ('1 ' || part)::interval))
    end::bigint
$$;
create or replace function pg_catalog.datediff(part text, a timestamptz, b timestamptz) returns bigint
language sql stable strict as $$
    select pg_catalog.datediff(part, a at time zone 'UTC', b at time zone 'UTC')
$$;
create or replace function pg_catalog.datediff(part text, a date, b date) returns bigint
language sql immutable strict as $$ select pg_catalog.datediff(part, a::timestamp, b::timestamp) $$;

-- 3. Only for dbt 2 ---------------------------------------------------------
-- Where its unit tests find the columns of what they are given.

create or replace view pg_catalog.svv_all_columns as
select table_catalog::varchar as database_name, table_schema::varchar as schema_name,
       table_name::varchar as table_name, column_name::varchar as column_name,
       ordinal_position::int as ordinal_position, column_default::varchar as column_default,
       is_nullable::varchar as is_nullable, data_type::varchar as data_type,
       character_maximum_length::int as character_maximum_length,
       numeric_precision::int as numeric_precision, numeric_scale::int as numeric_scale,
       col_description(format('%I.%I', table_schema, table_name)::regclass,
                       ordinal_position)::varchar as remarks
from information_schema.columns;

-- Spectrum's: there are none here.
create or replace view pg_catalog.svv_external_tables as
select null::varchar as schemaname, null::varchar as tablename, null::varchar as tabletype,
       null::varchar as redshift_database_name
where false;
grant select on pg_catalog.svv_all_columns, pg_catalog.svv_external_tables to public;

commit;
