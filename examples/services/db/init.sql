-- Run by the superuser before the app is there, as Terraform does it in production: a role for the
-- people who make reports. It may read every table that the app's user will ever make.
do $$
begin
    if not exists (select from pg_roles where rolname = 'reporting') then
        create role reporting nologin;
    end if;
end
$$;

grant usage on schema public to reporting;
alter default privileges for role orders grant select on tables to reporting;
