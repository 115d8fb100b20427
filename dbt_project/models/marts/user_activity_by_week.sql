{{
    config(
        unique_key=["user_id", "week_start"],
        incremental_strategy="equal",
        indexes=[
            {"columns": ["user_id", "week_start"], "unique": true},
            {"columns": ["week_start"]},
        ],
    )
}}

with

activities as (
    select salesforce_id, type, owner_id, contact_ids, date_trunc('week', activity_date)::date as week_start
    from {{ ref("activities_with_contacts") }}
    where activity_date is not null and owner_id like '005%'
),

counted as (
    select
        owner_id,
        week_start,
        count(*) as activities,
        count(*) filter (where type = 'Task') as tasks,
        count(*) filter (where type = 'Event') as events
    from activities
    group by owner_id, week_start
),

met as (
    select owner_id, week_start, count(distinct contact_id) as contacts
    from activities
    cross join unnest(contact_ids) as contact_id
    group by owner_id, week_start
)

select
    n.owner_id as user_id,
    n.week_start,
    to_char(n.week_start, 'IYYY-"W"IW') as iso_week,
    u.name as user_name,
    n.activities,
    n.tasks,
    n.events,
    coalesce(met.contacts, 0) as contacts
from counted as n
left join met on met.owner_id = n.owner_id and met.week_start = n.week_start
left join {{ ref("stg_salesforce__users") }} as u on u.salesforce_id = n.owner_id
