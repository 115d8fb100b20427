"""A local Salesforce org that speaks the real wire protocol, written from the protocol reference alone.

Start it with `python -m sf_sync.sandbox`, or in a test with `sf_sync.sandbox.server.LocalOrg`.

What it does that no published text confirms, and a real org may do otherwise:

- OAuth: `issued_at` in milliseconds, `signature`, the wording and status 401 of `invalid_client`, an
  expired or too long JWT as `expired authorization code`, a bad signature as `invalid assertion`,
  `invalid_token` on a failed revoke.
- A call without an `Authorization` header is 401 INVALID_AUTH_HEADER; refused calls (401, 403 at the
  limit) count nothing.
- The root resource's names, the basic-info keys, `urls` of describes, `byteLength` as three times the
  length.
- queryAll continues under `/query/`; page size shrinks with the number of cells; `batchSize` is kept
  within 200 … 2,000.
- SOQL: null is unequal to every value (`!=`, NOT IN and NOT hold for null), texts compare without case,
  ids by bytes; a date literal against a datetime field is INVALID_FIELD; the running user's time zone
  is UTC, weeks begin on Sunday; the codes and texts of duplicate fields, bad ids, wrong operators and
  ungrouped fields.
- Rows without ORDER BY come in id order, from REST and from Bulk.
- Bulk: jobs read their rows when they go InProgress; an empty result is the header line; results of an
  unfinished job are 400 INVALIDJOBSTATE; a dead locator is 400 INVALIDQUERYLOCATOR; the text of 409;
  FEATURENOTENABLED as the code of what Bulk refuses; LIMIT_EXCEEDED for one job too many; datetimes
  with `Z`, booleans in lower case, doubles as Java prints them.
- Bulk 1.0: the door's refusals as 400 InvalidSessionId, InvalidVersion and ExceededQuota; a posted job is answered
  in the form of the request, everything else in the form of the job; a query that can't be run fails its batch;
  no rows are `Records not found for this query` in CSV; nulls are members of JSON records; a result holds as many
  rows as a page of Bulk 2.0; ORDER BY and LIMIT switch PK chunking off; XML results and writes are refused.
- SOAP login: INVALID_OPERATION for versions from 65.0 on, the names in `userInfo` beyond the documented ones.
- SOQL by REST: the texts about semi-joins; a subquery's rows are always complete, stand after all fields, and make
  pages of 200; fiscal years are calendar years.
- Calls of the Bulk API count as API requests like any other; every subrequest of a batch counts, a
  composite call is one.
- A soft delete moves SystemModstamp and leaves LastModifiedDate; a merge stamps the winner, the losers
  and their children.
- Formulas change without any stamp. Archived activities are hidden from `query`; archived products are
  not.
- The prefixes 0RT and 0RE, the fields of the who-relations beyond the documented ones, and semi-joins
  on activities refused.
- Writes: the order of checks (names, kinds of values, relationships, then all field errors at once, locks, rules,
  uniqueness); a wrong name or kind of value in a collection fails its row, not the call; texts for the limits of
  collections, trees and graphs; `JSON_PARSER_ERROR` for every value that its field can't be read from, also for a
  number in a text field; `NOT_FOUND` of a row as INVALID_CROSS_REFERENCE_KEY; an id twice in a call as DUPLICATE_VALUE
  on every row that has it; ENTITY_IS_DELETED for a reference to a deleted record; updates without a change move the
  stamps too. A required picklist begins with its first value. A text name that a new record of a custom object lacks
  is its id. Keys are compared without case, among records that are not deleted.
- A write locks the records that it changes and those that it refers to (users apart); in an answer about locked rows
  the ids are those of the rows, not of the whole batch. Deleting a parent leaves its children as they are.
- Two upserts that create one key side by side: the later gets DUPLICATE_VALUE.
- Ingest: a column that is no field fails the job; rows of one job are written in order and at one moment; a Failed job
  keeps what was written before.
- TYPEOF: without ELSE a record of another kind shows only its attributes; the member stands after all fields.
- The ids that PIMA forms carry (pod DM0) all end in AA2, which is not what Salesforce's rule gives for them.
"""
