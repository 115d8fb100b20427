{% test leads_to(model, column_name, to) %}
{# Values that are the id of no record in any of the tables `to`, deleted ones included. Not asked while one is missing. #}
{%- set present = [] -%}
{%- for table in to -%}
    {%- if mirror_columns(table) -%} {%- do present.append(table) -%} {%- endif -%}
{%- endfor %}
select {{ column_name }}
from {{ model }} as r
where {{ column_name }} is not null
{%- if present | length == to | length -%}
    {%- for table in to %}
    and not exists (select from {{ table }} as t where t.salesforce_id = r.{{ column_name }})
    {%- endfor -%}
{%- else %}
    and false
{%- endif %}
{% endtest %}
