{% test matches(model, column_name, pattern) %}
{# Values that aren't NULL and don't match the regular expression. #}
select {{ column_name }}
from {{ model }}
where {{ column_name }} !~ '{{ pattern }}'
{% endtest %}
