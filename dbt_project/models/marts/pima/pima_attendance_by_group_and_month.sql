{{
    config(
        unique_key=["training_group_id", "month"],
        incremental_strategy="equal",
        indexes=[
            {"columns": ["training_group_id", "month"], "unique": true},
            {"columns": ["month"]},
        ],
    )
}}

with

sessions as (
    select
        salesforce_id,
        training_group_id,
        date,
        date_2,
        number_in_attendance,
        male_attendance,
        female_attendance,
        second_number_in_attendance,
        second_male_attendance,
        second_female_attendance
    from {{ ref("stg_salesforce__training_sessions") }}
    where training_group_id is not null
),

-- A session may have two days, each with its own count of heads.
days as (
    select salesforce_id, training_group_id, date as day, number_in_attendance as heads, male_attendance as men,
        female_attendance as women
    from sessions
    where date is not null
    union all
    select salesforce_id, training_group_id, date_2, second_number_in_attendance, second_male_attendance,
        second_female_attendance
    from sessions
    where date_2 is not null
),

held as (
    select
        training_group_id,
        date_trunc('month', day)::date as month,
        count(distinct salesforce_id) as sessions,
        coalesce(sum(heads), 0)::bigint as counted,
        coalesce(sum(men), 0)::bigint as counted_men,
        coalesce(sum(women), 0)::bigint as counted_women
    from days
    group by 1, 2
),

attendances as (
    select
        s.training_group_id,
        date_trunc('month', coalesce(a.date, s.date))::date as month,
        a.participant_id,
        a.status = 'Present' as is_present,
        p.gender
    from {{ ref("stg_salesforce__attendances") }} as a
    join sessions as s on s.salesforce_id = a.training_session_id
    left join {{ ref("stg_salesforce__participants") }} as p on p.salesforce_id = a.participant_id
    where coalesce(a.date, s.date) is not null and a.status in ('Present', 'Absent')
),

recorded as (
    select
        training_group_id,
        month,
        count(*) filter (where is_present) as present,
        count(*) filter (where not is_present) as absent,
        count(*) filter (where is_present and gender = 'Male') as present_men,
        count(*) filter (where is_present and gender = 'Female') as present_women,
        count(distinct participant_id) filter (where is_present) as participants
    from attendances
    group by training_group_id, month
),

months as (
    select training_group_id, month from held
    union
    select training_group_id, month from recorded
)

select
    m.training_group_id,
    m.month,
    g.name as group_name,
    g.tns_id as group_tns_id,
    g.project_id,
    j.name as project_name,
    coalesce(h.sessions, 0) as sessions,
    coalesce(h.counted, 0) as counted,
    coalesce(h.counted_men, 0) as counted_men,
    coalesce(h.counted_women, 0) as counted_women,
    coalesce(r.present, 0) + coalesce(r.absent, 0) as recorded,
    coalesce(r.present, 0) as present,
    coalesce(r.absent, 0) as absent,
    coalesce(r.present_men, 0) as present_men,
    coalesce(r.present_women, 0) as present_women,
    coalesce(r.participants, 0) as participants,
    round(100.0 * r.present / nullif(r.present + r.absent, 0), 1) as present_percent
from months as m
left join held as h on h.training_group_id = m.training_group_id and h.month = m.month
left join recorded as r on r.training_group_id = m.training_group_id and r.month = m.month
left join {{ ref("stg_salesforce__training_groups") }} as g on g.salesforce_id = m.training_group_id
left join {{ ref("stg_salesforce__projects") }} as j on j.salesforce_id = g.project_id
