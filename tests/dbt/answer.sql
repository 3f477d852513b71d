-- What the marts must share, worked out from the raw rows alone and from the rules in dbt/README.md, in DuckDB's SQL and
-- another way than the models go: everything is taken anew, with arg_max for the newest versions.
CREATE TEMP MACRO clean(x) AS CASE WHEN trim(x) <> '' THEN trim(x) END;
CREATE TEMP MACRO worded(x) AS list_aggregate(string_split(lower(trim(x)), ' '), 'string_agg', '_');
CREATE TEMP MACRO compact(x) AS clean(upper(array_to_string(string_split(x, ' '), '')));

-- Rows without key or order, or with an operation that nobody agreed on, say nothing.
CREATE TEMP TABLE accounts AS
SELECT newest.* REPLACE (coalesce(newest.FenX_Entity_Id__c, CASE WHEN newest.IsDeleted THEN named END) AS FenX_Entity_Id__c)
FROM (
    SELECT arg_max(r, (SystemModstamp, _loaded_at)) AS newest,
        arg_max(FenX_Entity_Id__c, (SystemModstamp, _loaded_at)) FILTER (FenX_Entity_Id__c IS NOT NULL) AS named
    FROM salesforce.account AS r WHERE Id IS NOT NULL AND SystemModstamp IS NOT NULL GROUP BY r.Id
);
CREATE TEMP TABLE contacts AS
SELECT newest.* FROM (
    SELECT arg_max(r, (SystemModstamp, _loaded_at)) AS newest
    FROM salesforce.contact AS r WHERE Id IS NOT NULL AND SystemModstamp IS NOT NULL GROUP BY r.Id
);
CREATE TEMP TABLE relations AS
SELECT newest.* FROM (SELECT arg_max(r, (SystemModstamp, _loaded_at)) AS newest FROM salesforce.account_contact AS r GROUP BY r.Id);
CREATE TEMP TABLE documents AS
SELECT newest.* FROM (SELECT arg_max(r, (SystemModstamp, _loaded_at)) AS newest FROM salesforce.id_doc AS r GROUP BY r.Id);
CREATE TEMP TABLE entities AS
SELECT newest.* FROM (
    SELECT arg_max(r, (event_time, kafka_offset, _loaded_at)) AS newest FROM fenx_Kafka_Synchronized.entity AS r
    WHERE entity_id IS NOT NULL AND event_time IS NOT NULL AND event_type IN ('created', 'updated', 'deleted')
    GROUP BY r.entity_id
);
CREATE TEMP TABLE holdings AS
SELECT newest.* REPLACE (coalesce(newest.customer_ref, held) AS customer_ref, coalesce(newest.iban, known) AS iban) FROM (
    SELECT arg_max(r, (version, _loaded_at)) AS newest,
        arg_max(customer_ref, (version, _loaded_at)) FILTER (customer_ref IS NOT NULL) AS held,
        arg_max(iban, (version, _loaded_at)) FILTER (iban IS NOT NULL) AS known
    FROM ledger.virtual_accounts AS r WHERE virtual_account_id IS NOT NULL AND version IS NOT NULL
        AND operation IN ('insert', 'update', 'delete')
    GROUP BY r.virtual_account_id
);
CREATE TEMP TABLE payees AS
SELECT newest.* FROM (SELECT arg_max(r, (version, _loaded_at)) AS newest FROM ledger.beneficiaries AS r GROUP BY r.beneficiary_id);
CREATE TEMP TABLE orders AS
SELECT newest.* FROM (
    SELECT arg_max(r, (version, _loaded_at)) AS newest FROM ledger.payments AS r
    WHERE payment_id IS NOT NULL AND version IS NOT NULL AND operation IN ('insert', 'update', 'delete') GROUP BY r.payment_id
);
CREATE TEMP TABLE movements AS
SELECT newest.* FROM (
    SELECT arg_max(r, (version, _loaded_at)) AS newest FROM ledger.transactions AS r
    WHERE transaction_id IS NOT NULL AND version IS NOT NULL AND operation IN ('insert', 'update', 'delete')
    GROUP BY r.transaction_id
);

CREATE TEMP TABLE heirs AS
WITH RECURSIVE merged AS (
    SELECT Id AS lost, MasterRecordId AS kept FROM accounts WHERE MasterRecordId IS NOT NULL
    UNION ALL
    SELECT Id, MasterRecordId FROM contacts WHERE MasterRecordId IS NOT NULL
), steps AS (
    SELECT lost, kept FROM merged
    UNION
    SELECT steps.lost, merged.kept FROM steps JOIN merged ON merged.lost = steps.kept
)
SELECT lost, kept FROM steps WHERE kept NOT IN (SELECT lost FROM merged);

CREATE TEMP TABLE whose AS
SELECT a.Id AS known, coalesce(h.kept, a.Id) AS customer FROM accounts AS a LEFT JOIN heirs AS h ON h.lost = a.Id;
INSERT INTO whose
SELECT e.entity_id, coalesce((
    SELECT arg_max(w.customer, (w.customer <> a.Id OR NOT a.IsDeleted, a.SystemModstamp))
    FROM accounts AS a JOIN whose AS w ON w.known = a.Id
    WHERE a.FenX_Entity_Id__c = e.entity_id
), e.entity_id)
FROM entities AS e;

CREATE TEMP TABLE customers AS
SELECT Id AS customer, clean(Name) AS name, worded(Type) AS type, clean(Registration_Number__c) AS registration,
    upper(BillingCountryCode) AS country, worded(Status__c) AS status
FROM accounts WHERE Amazon_PSPP__c AND NOT IsDeleted
UNION ALL
SELECT entity_id, clean(legal_name), worded(entity_type), clean(registration_number), upper(country), worded(status)
FROM entities JOIN whose ON known = entity_id
WHERE amazon_pspp AND event_type <> 'deleted' AND customer = entity_id;

CREATE TEMP TABLE people AS
SELECT w.customer, c.Id AS contact, clean(c.FenX_Entity_Id__c) AS entity,
    arg_min(worded(r.Role), list_position(['owner', 'beneficial_owner', 'director', 'representative'], worded(r.Role))) AS role,
    any_value(clean(c.FirstName)) AS given_name, any_value(clean(c.LastName)) AS family_name,
    any_value(c.Birthdate) AS born, any_value(upper(c.Nationality__c)) AS nationality,
    any_value(clean(c.MailingStreet)) AS street, any_value(clean(c.MailingCity)) AS city,
    any_value(clean(c.MailingPostalCode)) AS postal_code, any_value(upper(c.MailingCountryCode)) AS country
FROM relations AS r
JOIN whose AS w ON w.known = r.AccountId
JOIN contacts AS named ON named.Id = r.ContactId
LEFT JOIN heirs AS h ON h.lost = named.Id
JOIN contacts AS c ON c.Id = coalesce(h.kept, named.Id)
WHERE NOT r.IsDeleted AND NOT c.IsDeleted
GROUP BY ALL;
INSERT INTO people
SELECT w.customer, e.entity_id, e.entity_id, CASE worded(e.entity_type) WHEN 'company' THEN 'representative' ELSE 'owner' END,
    clean(e.given_name), clean(e.family_name), e.date_of_birth, upper(e.nationality), clean(e.address_line), clean(e.city),
    clean(e.postal_code), upper(e.address_country)
FROM entities AS e JOIN whose AS w ON w.known = e.entity_id
WHERE e.event_type <> 'deleted' AND w.customer NOT IN (SELECT customer FROM people);

CREATE TEMP TABLE proofs AS
SELECT contact, arg_max(proof, (coalesce(proof.expires, DATE '0001-01-01'), proof.recorded)) AS best
FROM (
    SELECT coalesce(h.kept, c.Id) AS contact, {
        type: worded(d.Type__c), number: clean(d.Number__c), country: upper(d.Issuing_Country__c), expires: d.Expiry_Date__c,
        source: 'salesforce', recorded: d.SystemModstamp} AS proof
    FROM documents AS d JOIN contacts AS c ON c.Id = d.Contact__c LEFT JOIN heirs AS h ON h.lost = c.Id WHERE NOT d.IsDeleted
    UNION ALL
    SELECT DISTINCT n.contact, {
        type: worded(e.document_type), number: clean(e.document_number), country: upper(e.document_country),
        expires: e.document_expires_on, source: 'fenx', recorded: e.event_time}
    FROM (
        SELECT contact, entity FROM people
        UNION
        SELECT h.kept, clean(c.FenX_Entity_Id__c) FROM contacts AS c JOIN heirs AS h ON h.lost = c.Id
    ) AS n JOIN entities AS e ON e.entity_id = n.entity WHERE e.event_type <> 'deleted' AND e.document_type IS NOT NULL
)
GROUP BY contact;

CREATE TEMP VIEW identity AS
SELECT c.customer AS customer_id, p.contact AS contact_id, c.name AS customer_name, c.type AS customer_type,
    c.registration AS registration_number, c.country AS customer_country, c.status AS customer_status, p.role AS contact_role,
    p.given_name, p.family_name, p.born AS date_of_birth, p.nationality, p.street AS address_line, p.city, p.postal_code,
    p.country AS address_country, best.type AS document_type, best.number AS document_number, best.country AS document_country,
    best.expires AS document_expires_on, best.source AS document_source
FROM customers AS c JOIN people AS p USING (customer) LEFT JOIN proofs USING (contact);

CREATE TEMP VIEW payments AS
SELECT o.payment_id, c.customer AS customer_id, h.virtual_account_id, compact(h.iban) AS virtual_account_iban, o.beneficiary_id,
    clean(b.name) AS beneficiary_name, compact(b.iban) AS beneficiary_iban, upper(b.country) AS beneficiary_country,
    o.amount, o.currency, o.status, clean(o.reference) AS reference, o.created_at, o.executed_at
FROM orders AS o, holdings AS h, payees AS b, whose AS w, customers AS c
WHERE o.operation <> 'delete' AND h.virtual_account_id = o.virtual_account_id AND b.beneficiary_id = o.beneficiary_id
    AND w.known = h.customer_ref AND c.customer = w.customer;

CREATE TEMP VIEW transactions AS
SELECT m.transaction_id, c.customer AS customer_id, h.virtual_account_id, compact(h.iban) AS virtual_account_iban, m.payment_id,
    m.direction, m.amount, m.currency, m.exchange_rate, m.balance_after, clean(m.counterparty_name) AS counterparty_name,
    compact(m.counterparty_iban) AS counterparty_iban, clean(m.description) AS description, m.booked_at, m.value_date
FROM movements AS m, holdings AS h, whose AS w, customers AS c
WHERE m.operation <> 'delete' AND h.virtual_account_id = m.virtual_account_id AND w.known = h.customer_ref
    AND c.customer = w.customer;
