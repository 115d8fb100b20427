{{
    config(
        unique_key="contact_id",
        incremental_strategy="equal",
        indexes=[
            {"columns": ["contact_id"], "unique": true},
            {"columns": ["last_activity_date"]},
        ],
    )
}}

with

today as (
    select (now() at time zone 'UTC')::date as day
),

activities as (
    select
        contact_id,
        a.type,
        a.task_subtype,
        a.activity_date,
        a.is_closed,
        (a.type = 'Event' or a.is_closed) and a.activity_date <= today.day as is_past,
        a.is_closed is not true and a.activity_date > today.day as is_ahead
    from {{ ref("activities_with_contacts") }} as a
    cross join today
    cross join unnest(a.contact_ids) as contact_id
    where a.is_child is not true
),

counted as (
    select
        a.contact_id,
        count(*) as activities,
        count(*) filter (where a.type = 'Task') as tasks,
        count(*) filter (where a.type = 'Event') as events,
        count(*) filter (where a.task_subtype = 'Call') as calls,
        count(*) filter (where a.task_subtype = 'Email') as emails,
        count(*) filter (where a.type = 'Task' and a.is_closed is not true) as open_tasks,
        count(*) filter (where a.is_past and a.activity_date > today.day - 30) as activities_in_30_days,
        count(*) filter (where a.is_past and a.activity_date > today.day - 90) as activities_in_90_days,
        min(a.activity_date) filter (where a.is_past) as first_activity_date,
        max(a.activity_date) filter (where a.is_past) as last_activity_date,
        min(a.activity_date) filter (where a.is_ahead) as next_activity_date
    from activities as a
    cross join today
    group by a.contact_id
)

select
    c.salesforce_id as contact_id,
    c.name,
    c.email,
    c.account_id,
    c.owner_id,
    coalesce(n.activities, 0) as activities,
    coalesce(n.tasks, 0) as tasks,
    coalesce(n.events, 0) as events,
    coalesce(n.calls, 0) as calls,
    coalesce(n.emails, 0) as emails,
    coalesce(n.open_tasks, 0) as open_tasks,
    coalesce(n.activities_in_30_days, 0) as activities_in_30_days,
    coalesce(n.activities_in_90_days, 0) as activities_in_90_days,
    n.first_activity_date,
    n.last_activity_date,
    n.next_activity_date
from {{ ref("stg_salesforce__contacts") }} as c
left join counted as n on n.contact_id = c.salesforce_id
