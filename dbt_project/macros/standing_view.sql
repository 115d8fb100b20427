{#-
    A view that is only made again when its definition or its docs have changed. dbt's own drops the view and what
    stands on it at every run; here a run costs a look at the catalog, so views can follow their tables: a table or a
    column that comes later is taken up by the next run.
-#}
{% materialization standing_view, adapter="postgres", supported_languages=["sql"] %}
    {%- set mark = "definition " ~ local_md5(sql ~ model.description ~ tojson(model.columns)) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.is_view and mark in view_comment(this) -%}
        {%- call noop_statement("main", message="STANDS", code="STANDS") -%} {{ sql }} {%- endcall -%}
        {{ return({"relations": [existing]}) }}
    {%- endif -%}
    {%- set made = dbt.materialization_view_default() -%}
    {%- call statement("mark") -%}
        comment on view {{ this }} is $mark${{ model.description }} ({{ mark }})$mark$
    {%- endcall -%}
    {% do adapter.commit() %}
    {{ return(made) }}
{% endmaterialization %}


{% macro view_comment(relation) %}
{%- set found = run_query("select coalesce(obj_description(to_regclass('" ~ relation ~ "')), '')") -%}
{{ return(found.columns[0][0]) }}
{% endmacro %}
