{% test adds_up(model, column_name, parts) %}
{# Rows in which the parts don't add up to the whole. #}
select {{ column_name }}, {{ parts | join(", ") }}
from {{ model }}
where {{ column_name }} <> {{ parts | join(" + ") }}
{% endtest %}
