{#-
    The last visit's answer to a question of `pima_wet_mill_questions`: survey, question, its section where it has one,
    and the type of the column. A choice of several is their text in the order of the form.
-#}
{% macro answer(question) %}
{%- set value = {
    "number": "max(as_number)",
    "boolean": "bool_or(as_boolean)",
    "date": "max(as_date)",
    "text": "string_agg(as_text, '; ' order by length(submission_id), submission_id)",
}[question.type] -%}
{{ value }} filter (
            where survey = '{{ question.survey }}' and question = '{{ question.question }}'
                and section is not distinct from {{ "'" ~ question.section ~ "'" if question.section else "null" }}
        )
{%- endmacro %}
