{{
    config(
        unique_key="wet_mill_id",
        incremental_strategy="equal",
        indexes=[
            {"columns": ["wet_mill_id"], "unique": true},
            {"columns": ["last_visit_date"]},
        ],
    )
}}

with

visits as (
    select
        id,
        wetmill_id,
        form_name,
        visit_date::date as visit_date,
        geo_location,
        count(*) over of_mill as visits,
        min(visit_date::date) over of_mill as first_visit_date,
        row_number() over (of_mill order by visit_date desc, created_at desc, id desc) as visit_from_last
    from {{ source("pima", "form_visits") }}
    window of_mill as (partition by wetmill_id)
),

last_visits as (
    select id, wetmill_id, form_name, visit_date, geo_location, visits, first_visit_date
    from visits
    where visit_from_last = 1
),

-- A yes and a no are told apart from numbers by what was written, so 1 may have come as true.
answers as (
    select
        v.wetmill_id,
        s.survey_type as survey,
        q.section_name as section,
        q.question_name as question,
        q.submission_id,
        coalesce(q.value_number, q.value_boolean::int) as as_number,
        coalesce(q.value_boolean, case lower(q.value_text) when 'yes' then true when 'no' then false end) as as_boolean,
        q.value_date::date as as_date,
        coalesce(
            q.value_text,
            q.value_number::text,
            q.value_boolean::text,
            q.value_date::date::text,
            geo.lat(q.value_gps) || ' ' || geo.lon(q.value_gps)
        ) as as_text
    from last_visits as v
    join {{ source("pima", "survey_responses") }} as s on s.form_visit_id = v.id
    join {{ source("pima", "survey_question_responses") }} as q on q.survey_response_id = s.id
),

answered as (
    select
        wetmill_id,
        count(*) filter (where survey = 'cpqi' and as_boolean) as cpqi_yes,
        count(*) filter (where survey = 'cpqi' and as_boolean is false) as cpqi_no,
        {%- for question in var("pima_wet_mill_questions") %}
        {{ answer(question) }} as {{ question.column }},
        {%- endfor %}
        count(*) as answers
    from answers
    group by wetmill_id
)

select
    m.id as wet_mill_id,
    m.wet_mill_unique_id,
    m.name,
    m.country,
    m.programme,
    m.mill_status,
    m.exporting_status,
    m.vertical_integration,
    m.registration_date,
    geo.lon(coalesce(m.office_gps, v.geo_location)) as longitude,
    geo.lat(coalesce(m.office_gps, v.geo_location)) as latitude,
    coalesce(v.visits, 0) as visits,
    v.first_visit_date,
    v.visit_date as last_visit_date,
    v.form_name as last_visit_form,
    coalesce(a.answers, 0) as answers,
    a.cpqi_yes,
    a.cpqi_no,
    {%- for question in var("pima_wet_mill_questions") %}
    a.{{ question.column }}{{ "," if not loop.last }}
    {%- endfor %}
from {{ source("pima", "wetmills") }} as m
left join last_visits as v on v.wetmill_id = m.id
left join answered as a on a.wetmill_id = m.id
