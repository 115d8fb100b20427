"""The wet mills of PIMA, and points: PostGIS where the server has it."""

from alembic import op

from sf_sync.store import geography

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# tbl_users may be there: it belongs to another application.
USERS = """
create table if not exists pima.tbl_users (
    user_id uuid primary key default gen_random_uuid(),
    sf_user_id varchar(50) unique,
    user_name varchar(255),
    user_email varchar(255),
    user_password varchar(255),
    mobile_no varchar(50),
    role_id uuid,
    account_status varchar(20) default 'active',
    "createdAt" timestamp not null default timezone('utc', now()),
    "updatedAt" timestamp not null default timezone('utc', now())
);
"""

TABLES = """
create table pima.wetmills (
    id uuid primary key default gen_random_uuid(),
    wet_mill_unique_id varchar not null,
    commcare_case_id varchar unique,
    name varchar,
    mill_status varchar,
    exporting_status varchar,
    vertical_integration varchar,
    programme varchar,
    country varchar,
    manager_name varchar,
    manager_role varchar,
    comments text,
    wetmill_counter integer,
    ba_signature varchar,
    manager_signature varchar,
    tor_page_picture varchar,
    office_entrance_picture varchar,
    registration_date date,
    date_ba_signature date,
    office_gps {point},
    user_id uuid references pima.tbl_users (user_id),
    created_at timestamp not null default timezone('utc', now()),
    updated_at timestamp not null default timezone('utc', now())
);
create index wetmills_user on pima.wetmills (user_id);
comment on table pima.wetmills is 'Wet mills, as they were registered.';
comment on column pima.wetmills.commcare_case_id is 'The key that forms write by.';
comment on column pima.wetmills.wetmill_counter is 'Kept by the staff; sf_sync doesn''t write it.';

create table pima.form_visits (
    id uuid primary key default gen_random_uuid(),
    submission_id varchar not null unique,
    wetmill_id uuid not null references pima.wetmills (id) on delete cascade,
    user_id uuid,
    form_name varchar not null,
    visit_date timestamp not null,
    entrance_photograph varchar,
    geo_location {point},
    created_at timestamp not null default timezone('utc', now()),
    updated_at timestamp not null default timezone('utc', now())
);
create index form_visits_wetmill on pima.form_visits (wetmill_id);
comment on table pima.form_visits is 'Visits of wet mills.';
comment on column pima.form_visits.submission_id is 'The key that forms write by.';
comment on column pima.form_visits.user_id is 'Who registered the mill.';

create table pima.survey_responses (
    id uuid primary key default gen_random_uuid(),
    submission_id varchar not null unique,
    form_visit_id uuid not null references pima.form_visits (id) on delete cascade,
    survey_type varchar not null,
    completed_date timestamp,
    general_feedback text,
    created_at timestamp not null default timezone('utc', now()),
    updated_at timestamp not null default timezone('utc', now())
);
create index survey_responses_visit on pima.survey_responses (form_visit_id);
comment on table pima.survey_responses is 'Surveys of a visit.';
comment on column pima.survey_responses.submission_id is 'The key that forms write by.';

create table pima.survey_question_responses (
    id uuid primary key default gen_random_uuid(),
    submission_id varchar not null unique,
    survey_response_id uuid not null references pima.survey_responses (id) on delete cascade,
    section_name varchar,
    question_name varchar not null,
    field_type varchar not null,
    value_text text,
    value_number double precision,
    value_boolean boolean,
    value_date timestamp,
    value_gps {point},
    created_at timestamp not null default timezone('utc', now()),
    updated_at timestamp not null default timezone('utc', now())
);
create index survey_question_responses_survey on pima.survey_question_responses (survey_response_id);
comment on table pima.survey_question_responses is 'Answers of a survey, each in the column of its type.';
comment on column pima.survey_question_responses.submission_id is 'The key that forms write by.';
comment on column pima.survey_question_responses.field_type is 'text, number, boolean, date or gps.';
"""


def upgrade() -> None:
    connection = op.get_bind()
    point = geography.install(connection)
    connection.exec_driver_sql(USERS)
    connection.exec_driver_sql(TABLES.replace("{point}", point))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a backup to go back")
