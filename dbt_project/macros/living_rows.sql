{#-
    The rows of a mirror table that aren't deleted in the org. `columns` are names with the types that they have where
    the table lacks them: the org has no such field, or hides it from the user. Without a table there are no rows.
-#}
{% macro living_rows(table, columns) %}
{%- set present = mirror_columns(table) %}
select
{%- for name, type in columns.items() %}
    {% if name in present -%} {{ adapter.quote(name) }} {%- else -%} null::{{ type }} as {{ adapter.quote(name) }} {%- endif %}
    {{- "," if not loop.last }}
{%- endfor %}
{% if present -%}
from {{ table }}
where _absent_at is null{{ " and is_deleted is not true" if "is_deleted" in present }}
{%- else -%}
where false
{%- endif %}
{% endmacro %}


{# The names of a mirror table's columns; empty where there is no table (an org without Shared Activities), and at parse. #}
{% macro mirror_columns(table) %}
{%- if not execute or load_relation(table) is none -%}
    {{ return([]) }}
{%- endif -%}
{{ return(adapter.get_columns_in_relation(table) | map(attribute="name") | list) }}
{% endmacro %}
