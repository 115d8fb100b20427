{#- What marts need to know of changes: from which moment on, and which rows of a mirror table, deleted ones too. -#}

{# A literal: the newest `_synced_at` that a mart has seen, less an overlap for pages that were committed late. #}
{% macro synced_since(mart) %}
{%- if not execute -%}
    {{ return("'-infinity'::timestamptz") }}
{%- endif -%}
{%- set query -%}
    select coalesce(max(_synced_at) - interval '{{ var("overlap") }}', '-infinity')::text from {{ mart }}
{%- endset -%}
{{ return("'" ~ run_query(query).columns[0][0] ~ "'::timestamptz") }}
{% endmacro %}


{# Values of a column in the rows that were synced since then; none where there is no table. #}
{% macro touched(table, column, since) %}
{%- if column in mirror_columns(table) -%}
select {{ adapter.quote(column) }} as id from {{ table }} where _synced_at >= {{ since }}
{%- else -%}
select null::text as id where false
{%- endif -%}
{% endmacro %}
