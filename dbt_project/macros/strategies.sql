{#-
    How marts are brought up to date: in place, in one transaction, and without touching rows that stay as they are.
    A mart is never swapped for another table, so views and grants on it last, and little is written.
-#}

{# The select gives every row: what it hasn't goes. #}
{% macro get_incremental_equal_sql(arg_dict) %}
{%- set target, temp = arg_dict["target_relation"], arg_dict["temp_relation"] -%}
delete from {{ target }} as t
where not exists (select from {{ temp }} as s where {{ _same_key(arg_dict["unique_key"]) }});
{{ _write_changes(arg_dict) }}
{% endmacro %}


{# The select gives the rows that may have changed: one whose key is all that it has goes (`meta.gone` tells which). #}
{% macro get_incremental_touched_sql(arg_dict) %}
{%- set target, temp = arg_dict["target_relation"], arg_dict["temp_relation"] -%}
{%- set gone = config.get("meta")["gone"] -%}
delete from {{ target }} as t
using {{ temp }} as s where {{ _same_key(arg_dict["unique_key"]) }} and s.{{ gone }};
delete from {{ temp }} as s where s.{{ gone }};
{{ _write_changes(arg_dict) }}
{% endmacro %}


{% macro _write_changes(arg_dict) %}
{%- set target, temp = arg_dict["target_relation"], arg_dict["temp_relation"] -%}
{%- set keys = _keys(arg_dict["unique_key"]) -%}
{%- set names = arg_dict["dest_columns"] | map(attribute="quoted") | list -%}
insert into {{ target }} as t ({{ names | join(", ") }})
select {{ names | join(", ") }} from {{ temp }}
on conflict ({{ keys | join(", ") }}) do update set
    {%- for name in names %} {{ name }} = excluded.{{ name }}{{ "," if not loop.last }}{% endfor %}
where (t.{{ names | join(", t.") }}) is distinct from (excluded.{{ names | join(", excluded.") }})
{% endmacro %}


{% macro _same_key(unique_key) %}
{%- for key in _keys(unique_key) %}s.{{ key }} = t.{{ key }}{{ " and " if not loop.last }}{% endfor -%}
{% endmacro %}


{% macro _keys(unique_key) %}
{{ return([unique_key] if unique_key is string else unique_key) }}
{% endmacro %}
