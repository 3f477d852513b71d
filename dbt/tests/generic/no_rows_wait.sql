{# Tells of rows in quarantine. They are not sent; the rest of the hour is, so this does not hold the watermark. #}
{% test no_rows_wait(model) %}
{{ config(severity='warn', meta={'holds_watermark': false}, fail_calc='coalesce(sum(row_count), 0)') }}
select dataset, row_count from {{ model }} where row_count > 0
{% endtest %}
