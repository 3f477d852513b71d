{# Tells of customers in the program whose payments and movements are shared, though no identity of theirs is. #}
{{ config(group='data_share', severity='warn', meta={'holds_watermark': false}) }}
select distinct accounts.customer_id
from {{ ref('int_program_accounts') }} as accounts
left join {{ ref('int_identity__current') }} as identities on identities.customer_id = accounts.customer_id
where identities.customer_id is null
