{{ config(unique_key='entity_id') }}

with entities as (
    select * from {{ source('fenx', 'entity') }}
),

versions as (
    select
        {{ text('entity_id') }} as entity_id,
        {{ code('event_type') }} = 'deleted' as is_deleted,
        {{ code('entity_type') }} as type,
        {{ text('legal_name') }} as name,
        {{ text('registration_number') }} as registration_number,
        {{ iso('country') }} as country,
        {{ code('status') }} as status,
        coalesce(amazon_pspp, false) as in_program,
        {{ text('given_name') }} as given_name,
        {{ text('family_name') }} as family_name,
        date_of_birth,
        {{ iso('nationality') }} as nationality,
        {{ text('address_line') }} as address_line,
        {{ text('city') }} as city,
        {{ text('postal_code') }} as postal_code,
        {{ iso('address_country') }} as address_country,
        {{ code('document_type') }} as document_type,
        {{ text('document_number') }} as document_number,
        {{ iso('document_country') }} as document_country,
        document_expires_on,
        event_time as changed_at,
        coalesce(kafka_offset, -1) as kafka_offset,
        _loaded_at as loaded_at
    from entities
    where {{ arrived_lately() }} and {{ understood('entity') }}
)

{{ newest_versions('entity_id', ['changed_at', 'kafka_offset', 'loaded_at']) }}
