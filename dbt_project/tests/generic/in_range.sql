{% test in_range(model, column_name, low=none, high=none) %}
{# Values outside of [low, high]; a bound that isn't given doesn't bind. #}
select {{ column_name }}
from {{ model }}
where false
    {%- if low is not none %} or {{ column_name }} < {{ low }}{% endif %}
    {%- if high is not none %} or {{ column_name }} > {{ high }}{% endif %}
{% endtest %}
