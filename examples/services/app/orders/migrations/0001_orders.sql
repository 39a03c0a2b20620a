-- `digest` is pgcrypto's, which is installed with the database.
create table orders (
    id uuid primary key default gen_random_uuid(),
    -- Short enough to be said on the phone.
    reference text not null generated always as (left(encode(digest(id::text, 'sha256'), 'hex'), 10)) stored,
    item text not null check (item <> ''),
    quantity integer not null check (quantity > 0),
    created_at timestamptz not null default now()
);

create index orders_created_at on orders (created_at desc);
