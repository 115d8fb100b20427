"""The mapping language: a record becomes a plan, without network and without database.

A mapping is a YAML file. YAML carries the structure, restricted JMESPath (`expressions.py`) reads values, and a closed
table of functions (`functions.py`) does the rest. Expressions see `doc` (the record), `form` and `metadata` (two of
its groups), `var`, `const`, and inside a foreach `item` or `code`.

    routes:                         # which records: by routing name, and a condition where the name is not enough
      - {name: Followup, when: "eq(form.survey_type, 'Attendance Light')"}
    destination: salesforce         # where operations go; salesforce is the default
    versions: latest                # or every: whether a newer version of a record replaces an older one that waits
    lane: first(form.group, form.case."@case_id")    # what must not overtake each other; default the record's key
    event_time: form.meta.timeEnd   # when it happened: an older event doesn't overwrite a newer one
    blanks: send_null               # a blank answer clears its field; or omit: it leaves the field alone
    require: [doc.id, date(form.date)]               # must not come out blank, else the record is refused
    refuse: [{when: not(form.ok), say: why it is refused}]
    var: {size: num(form.size)}     # values with a name, each may use those above it
    steps:                          # run in order; each makes operations on one object
      - {id: session, op: update, object: Training_Session__c, key: {CommCare_Case_Id__c: form.session}}
      - id: attendance
        when: form.present          # else it is skipped
        foreach: {in: multi(form.present), as: code, when: "not(eq(code, '0'))"}    # or a list of them, nested;
                                    # `required: true`: without the list, which may be empty, the record is refused
        var: {name: "concat(form.group, code)"}     # more values with a name, anew in each turn
        each_alone: true            # what is wrong with one operation fails that one, not the record
        op: upsert                  # update: must be there already; delete
        object: Attendance__c
        key: {Submission_ID__c: "concat(form.session, code)"}     # never blank
        require: [form.session]     # as above, for this step
        fields:
          Status__c: {const: Present}
          Participant__r: {object: Participant__c, key: {CommCare_Case_Id__c: code}}    # by external id
        also: [{when: form.first, fields: {Date__c: form.date}}]  # fields under a condition
        needs: [Date__c]            # without a value there, no operation
        after: [session]            # waits for these steps; what is referred to is waited for anyway
        stale: {set: {Status__c: {const: Absent}}}   # or delete: what an earlier version wrote and this one hasn't

A field whose path leads nowhere isn't sent, one that is blank is sent as null (or left out, by `blanks`), and values
stay text until they become the type that the target's describe says (`values.py`). The forms of a value other than an
expression are in `value_forms.py`. A file is checked whole when it is loaded; `limits.py` says what a record may take.

Where no expression should go, a domain brings functions in Python: records of the same kind as those of the table,
given to `Registry.load(…, functions=…)`, checked and paid for like them, that read code lists by `scope.lists`. What
they return, often a list for a foreach, is values for the mapping to write (`sf_sync.pima.surveys` is one).

`Registry.load(folder)` reads a folder of mappings, `registry.route(document)` finds those for a record, and
`mapping.plan(document)` gives the plan or raises RecordRefused.
"""
