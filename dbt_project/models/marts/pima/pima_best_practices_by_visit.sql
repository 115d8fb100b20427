{{
    config(
        unique_key="farm_visit_id",
        incremental_strategy="equal",
        indexes=[
            {"columns": ["farm_visit_id"], "unique": true},
            {"columns": ["date_visited"]},
            {"columns": ["training_group_id"]},
        ],
    )
}}

with

best_practices as (
    select distinct on (farm_visit_id) *
    from {{ ref("stg_salesforce__fv_best_practices") }}
    order by farm_visit_id, sf_created_date desc, salesforce_id desc
),

-- Each method once; an answer that says that there is none isn't a method.
methods as (
    select distinct
        b.farm_visit_id,
        r.best_practice_result_type as type,
        r.best_practice_result_description as method
    from {{ ref("stg_salesforce__fv_best_practice_results") }} as r
    join best_practices as b on b.salesforce_id = r.fv_best_practices_id
    where r.best_practice_result_description is not null
        and r.best_practice_result_type not in ('{{ var("pima_not_practices") | join("', '") }}')
    {%- for beginning in var("pima_not_adopted") %}
        and r.best_practice_result_description not ilike '{{ beginning }}%'
    {%- endfor %}
),

by_type as (
    select farm_visit_id, type, jsonb_agg(method order by method) as methods, count(*) as number
    from methods
    group by farm_visit_id, type
),

adopted as (
    select
        farm_visit_id,
        jsonb_object_agg(type, methods) as methods,
        coalesce(sum(number) filter (where type = 'Erosion Control'), 0)::bigint as erosion_control_methods,
        coalesce(sum(number) filter (where type = 'Chemicals and Fertilizers Applied'), 0)::bigint as fertilizers,
        coalesce(sum(number) filter (where type = 'Pruning'), 0)::bigint as pruning_methods,
        coalesce(
            sum(number) filter (where type like 'Management of Coffee %'), 0
        )::bigint as pest_and_disease_methods,
        coalesce(sum(number) filter (where type = 'Kitchen Garden'), 0)::bigint as vegetables,
        coalesce(sum(number) filter (where type = 'Compost'), 0)::bigint as composts
    from by_type
    group by farm_visit_id
),

visits as (
    select
        v.salesforce_id,
        v.date_visited,
        v.farm_visit_type,
        v.training_group_id,
        v.household_id,
        v.farm_visited_id,
        v.farmer_trainer_id,
        v.fv_aa_visit_done_by_aa = 'Yes' as is_by_advisor,
        coalesce(a.methods, '{}') as methods,
        coalesce(a.erosion_control_methods, 0) as erosion_control_methods,
        coalesce(a.fertilizers, 0) as fertilizers,
        coalesce(a.pruning_methods, 0) as pruning_methods,
        coalesce(a.pest_and_disease_methods, 0) as pest_and_disease_methods,
        coalesce(a.vegetables, 0) as vegetables,
        b.color_of_coffee_tree_leaves ilike 'nearly all leaves are dark green%' as has_green_leaves,
        b.how_many_weeds_under_canopy_and_how_big ilike 'few small weeds%' as has_few_weeds,
        b.level_of_shade_present_on_the_farm not ilike 'no shade%' as has_shade,
        b.have_new_shade_been_planted_last_3_years <> 'No' as has_new_shade_trees,
        case when a.composts > 0 then true else b.do_you_have_compost_manure = 'Yes' end as has_compost,
        b.do_you_have_a_record_book = 'Yes' as has_record_book,
        b.are_there_records_on_the_record_book = 'Yes' as has_records
    from {{ ref("stg_salesforce__farm_visits") }} as v
    left join best_practices as b on b.farm_visit_id = v.salesforce_id
    left join adopted as a on a.farm_visit_id = v.salesforce_id
),

counted as (
    select
        v.*,
        num_nonnulls(
            nullif(v.erosion_control_methods > 0, false),
            nullif(v.fertilizers > 0, false),
            nullif(v.pruning_methods > 0, false),
            nullif(v.pest_and_disease_methods > 0, false),
            nullif(v.vegetables > 0, false),
            nullif(v.has_green_leaves, false),
            nullif(v.has_few_weeds, false),
            nullif(v.has_shade, false),
            nullif(v.has_compost, false),
            nullif(v.has_records, false)
        ) as practices_adopted
    from visits as v
)

select
    v.salesforce_id as farm_visit_id,
    v.date_visited,
    v.farm_visit_type,
    v.training_group_id,
    g.name as group_name,
    v.household_id,
    v.farm_visited_id as participant_id,
    v.farmer_trainer_id,
    coalesce(v.is_by_advisor, false) as is_by_advisor,
    v.methods,
    v.erosion_control_methods,
    v.fertilizers,
    v.pruning_methods,
    v.pest_and_disease_methods,
    v.vegetables,
    v.has_green_leaves,
    v.has_few_weeds,
    v.has_shade,
    v.has_new_shade_trees,
    v.has_compost,
    v.has_record_book,
    v.has_records,
    v.practices_adopted
from counted as v
left join {{ ref("stg_salesforce__training_groups") }} as g on g.salesforce_id = v.training_group_id
