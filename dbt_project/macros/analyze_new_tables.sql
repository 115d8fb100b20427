{# Without statistics PostgreSQL takes a mirror table that was just filled for a nearly empty one, and joins take hours. #}
{% macro analyze_new_tables() %}
{%- if execute -%}
    {%- set query -%}
        select oid::regclass::text from pg_class
        where relnamespace = to_regnamespace('salesforce') and relkind = 'r' and reltuples < 0
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        analyze {{ row[0] }};
    {%- endfor -%}
{%- endif -%}
{% endmacro %}
