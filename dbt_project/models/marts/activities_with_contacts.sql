{{
    config(
        unique_key="salesforce_id",
        incremental_strategy="touched",
        meta={"gone": "type is null"},
        indexes=[
            {"columns": ["salesforce_id"], "unique": true},
            {"columns": ["owner_id", "activity_date"]},
            {"columns": ["contact_ids"], "type": "gin"},
            {"columns": ["_synced_at"]},
        ],
    )
}}
{%- set task_relations = ref("stg_salesforce__task_who_relations") %}
{%- set event_relations = ref("stg_salesforce__event_who_relations") %}
{%- set since = synced_since(this) if is_incremental() %}

with

{% if is_incremental() %}
touched_contacts as (
    {{ touched(source("salesforce", "contacts"), "salesforce_id", since) }}
),

touched as (
    {{ touched(source("salesforce", "activities"), "salesforce_id", since) }}
    union
    {{ touched(source("salesforce", "task_who_relations"), "task_id", since) }}
    union
    {{ touched(source("salesforce", "event_who_relations"), "event_id", since) }}
    union
    select task_id from {{ task_relations }} where relation_id in (select id from touched_contacts)
    union
    select event_id from {{ event_relations }} where relation_id in (select id from touched_contacts)
    union
    select salesforce_id from {{ ref("stg_salesforce__activities") }} where who_id in (select id from touched_contacts)
),
{% endif %}

activities as (
    select {{ "touched.id" if is_incremental() else "a.salesforce_id as id" }}, a.*
    {% if is_incremental() -%}
    from touched
    left join {{ ref("stg_salesforce__activities") }} as a on a.salesforce_id = touched.id
    where touched.id is not null
    {%- else -%}
    from {{ ref("stg_salesforce__activities") }} as a
    {%- endif %}
),

links as (
    select r.task_id as activity_id, r.relation_id as person_id, true as is_relation, r._synced_at
    from {{ task_relations }} as r
    join activities as a on a.salesforce_id = r.task_id
    union all
    select r.event_id, r.relation_id, true, r._synced_at
    from {{ event_relations }} as r
    join activities as a on a.salesforce_id = r.event_id
    union all
    select a.salesforce_id, a.who_id, false, a._synced_at
    from activities as a
    where a.who_id is not null
),

-- An org without Shared Activities has no relations, and invitees' copies never have any: their one person is `who_id`.
people as (
    select
        activity_id,
        person_id,
        max(_synced_at) as _synced_at,
        bool_or(is_relation) as is_relation,
        bool_or(bool_or(is_relation)) over (partition by activity_id) as has_relations
    from links
    group by activity_id, person_id
),

contacts as (
    select
        p.activity_id,
        jsonb_agg(
            jsonb_build_object(
                'salesforce_id', c.salesforce_id,
                'name', c.name,
                'first_name', c.first_name,
                'last_name', c.last_name,
                'title', c.title,
                'email', c.email,
                'account_id', c.account_id
            )
            order by c.salesforce_id
        ) as contacts,
        array_agg(c.salesforce_id order by c.salesforce_id) as contact_ids,
        max(greatest(p._synced_at, c._synced_at)) as _synced_at
    from people as p
    join {{ ref("stg_salesforce__contacts") }} as c on c.salesforce_id = p.person_id
    where p.is_relation or not p.has_relations
    group by p.activity_id
)

select
    a.id as salesforce_id,
    a.type,
    a.subject,
    a.activity_date,
    a.status,
    a.priority,
    a.is_high_priority,
    a.description,
    a.is_closed,
    a.is_archived,
    a.task_subtype,
    a.completed_datetime,
    a.start_datetime,
    a.end_datetime,
    a.duration_minutes,
    a.location,
    a.show_as,
    a.is_all_day_event,
    a.is_private,
    a.is_child,
    a.who_id,
    a.what_id,
    a.owner_id,
    a.account_id,
    coalesce(c.contacts, '[]') as contacts,
    coalesce(c.contact_ids, '{}') as contact_ids,
    cardinality(coalesce(c.contact_ids, '{}')) as contact_count,
    a.sf_created_date,
    a.created_by_id,
    a.sf_last_modified_date,
    a.last_modified_by_id,
    greatest(a._synced_at, c._synced_at) as _synced_at
from activities as a
left join contacts as c on c.activity_id = a.salesforce_id
