-- Every table of a tenant begins with `tenant_no`, which stands for the tenant's UUID in one or two
-- bytes instead of sixteen. Points in time are microseconds since 1970. `doc` is the record as JSON;
-- the columns beside it are what is filtered, sorted or kept unique.

CREATE TABLE tenant (
    no      INTEGER PRIMARY KEY,
    id      BLOB    NOT NULL UNIQUE,
    slug    TEXT    NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    doc     TEXT    NOT NULL
) STRICT;

CREATE TABLE user (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    id        BLOB    NOT NULL,
    email_key TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    doc       TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    UNIQUE (tenant_no, email_key)
) STRICT, WITHOUT ROWID;

-- What people and programs prove themselves with: how a user signs in, each sign-in, API keys, accounts
-- with providers of identities. From useless_from on a row may be forgotten.
CREATE TABLE credential (
    tenant_no    INTEGER NOT NULL REFERENCES tenant (no),
    id           BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    user_id      BLOB,
    useless_from INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    doc          TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, user_id) REFERENCES user (tenant_no, id)
) STRICT;
CREATE INDEX credential_kind ON credential (tenant_no, kind, id);
CREATE INDEX credential_user ON credential (tenant_no, user_id, kind, id) WHERE user_id IS NOT NULL;

-- What a user is found by before the tenant is known: email:<address>, oidc:<provider>:<digest>.
CREATE TABLE sign_in_name (
    value     TEXT    NOT NULL,
    tenant_no INTEGER NOT NULL,
    user_id   BLOB    NOT NULL,
    PRIMARY KEY (value, tenant_no),
    FOREIGN KEY (tenant_no, user_id) REFERENCES user (tenant_no, id)
) STRICT, WITHOUT ROWID;

-- What came of requests that can be repeated.
CREATE TABLE outcome (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    key       TEXT    NOT NULL,
    until     INTEGER NOT NULL,
    doc       TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, key)
) STRICT;
CREATE INDEX outcome_until ON outcome (tenant_no, until);

CREATE TABLE company (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    id        BLOB    NOT NULL,
    version   INTEGER NOT NULL,
    doc       TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id)
) STRICT, WITHOUT ROWID;

-- kind: 0 name, 1 domain
CREATE TABLE company_key (
    tenant_no  INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    value      TEXT    NOT NULL,
    company_id BLOB    NOT NULL,
    PRIMARY KEY (tenant_no, kind, value),
    FOREIGN KEY (tenant_no, company_id) REFERENCES company (tenant_no, id)
) STRICT, WITHOUT ROWID;

-- With rowid: a document of several hundred bytes would leave an index-organised table a fan-out of five.
CREATE TABLE contact (
    tenant_no  INTEGER NOT NULL REFERENCES tenant (no),
    id         BLOB    NOT NULL,
    deleted    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    sort_name  TEXT    NOT NULL,
    owner_id   BLOB,
    company_id BLOB,
    version    INTEGER NOT NULL,
    doc        TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, owner_id) REFERENCES user (tenant_no, id),
    FOREIGN KEY (tenant_no, company_id) REFERENCES company (tenant_no, id)
) STRICT;
CREATE INDEX contact_created ON contact (tenant_no, deleted, created_at, id);
CREATE INDEX contact_updated ON contact (tenant_no, deleted, updated_at, id);
CREATE INDEX contact_name ON contact (tenant_no, deleted, sort_name, id);
CREATE INDEX contact_owner ON contact (tenant_no, owner_id, deleted, created_at, id)
    WHERE owner_id IS NOT NULL;
CREATE INDEX contact_company ON contact (tenant_no, company_id, deleted, created_at, id)
    WHERE company_id IS NOT NULL;

-- kind: 0 e-mail, 1 phone, 2 tag, 3 fingerprint
CREATE TABLE contact_key (
    tenant_no  INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    value      TEXT    NOT NULL,
    contact_id BLOB    NOT NULL,
    live       INTEGER NOT NULL,
    PRIMARY KEY (tenant_no, kind, value, contact_id),
    FOREIGN KEY (tenant_no, contact_id) REFERENCES contact (tenant_no, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX contact_email_live ON contact_key (tenant_no, value) WHERE kind = 0 AND live = 1;

-- Search. A posting for each term of a live contact; all terms of a contact in one text; the
-- vocabulary, and the hashes of each word with up to two letters left out.
CREATE TABLE term (
    tenant_no  INTEGER NOT NULL,
    word       TEXT    NOT NULL,
    contact_id BLOB    NOT NULL,
    PRIMARY KEY (tenant_no, word, contact_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE contact_terms (
    tenant_no  INTEGER NOT NULL,
    contact_id BLOB    NOT NULL,
    terms      TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, contact_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE word (
    tenant_no INTEGER NOT NULL,
    word      TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, word)
) STRICT, WITHOUT ROWID;
CREATE TABLE word_delete (
    tenant_no INTEGER NOT NULL,
    hash      INTEGER NOT NULL,
    word      TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, hash, word)
) STRICT, WITHOUT ROWID;

CREATE TABLE activity (
    tenant_no   INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    contact_id  BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    user_id     BLOB,
    subject     TEXT,
    body        TEXT,
    data        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, contact_id) REFERENCES contact (tenant_no, id)
) STRICT;
CREATE INDEX activity_timeline ON activity (tenant_no, contact_id, occurred_at, id);
CREATE INDEX activity_time ON activity (tenant_no, occurred_at, id);
CREATE INDEX activity_kind ON activity (tenant_no, kind, occurred_at, id);
CREATE INDEX activity_user ON activity (tenant_no, user_id, occurred_at, id);

-- AUTOINCREMENT: a position is never given twice, also after the newest events have been removed.
CREATE TABLE event (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_no    INTEGER NOT NULL REFERENCES tenant (no),
    id           BLOB    NOT NULL,
    name         TEXT    NOT NULL,
    occurred_at  INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    request_id   TEXT    NOT NULL,
    subject_kind TEXT    NOT NULL,
    subject_id   BLOB    NOT NULL,
    data         TEXT    NOT NULL
) STRICT;
CREATE INDEX event_tenant ON event (tenant_no, position);

-- Of each tenant the position of the last event that was forgotten.
CREATE TABLE event_horizon (
    tenant_no INTEGER PRIMARY KEY REFERENCES tenant (no),
    position  INTEGER NOT NULL
) STRICT;

CREATE TABLE event_group (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    name      TEXT    NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (tenant_no, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    tenant_no     INTEGER NOT NULL REFERENCES tenant (no),
    id            BLOB    NOT NULL,
    at            INTEGER NOT NULL,
    actor         TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    resource_kind TEXT    NOT NULL,
    resource_id   BLOB    NOT NULL,
    request_id    TEXT    NOT NULL,
    fields        TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_resource ON audit (tenant_no, resource_kind, resource_id, id);

-- What contacts said about being called and recorded.
CREATE TABLE consent (
    tenant_no  INTEGER NOT NULL,
    id         BLOB    NOT NULL,
    contact_id BLOB    NOT NULL,
    purpose    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    doc        TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, contact_id) REFERENCES contact (tenant_no, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_contact ON consent (tenant_no, contact_id, purpose, at, id);

CREATE TABLE telephony_account (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    id        BLOB    NOT NULL,
    provider  TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    doc       TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id)
) STRICT, WITHOUT ROWID;
-- Without the tenant first: a carrier's request names the account before the tenant is known.
CREATE UNIQUE INDEX telephony_account_name ON telephony_account (provider, name, tenant_no);

CREATE TABLE call (
    tenant_no        INTEGER NOT NULL REFERENCES tenant (no),
    id               BLOB    NOT NULL,
    contact_id       BLOB,
    user_id          BLOB,
    direction        TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    disposition      TEXT,
    account_id       BLOB,
    provider_call_id TEXT,
    started_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    doc              TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, contact_id) REFERENCES contact (tenant_no, id),
    FOREIGN KEY (tenant_no, user_id) REFERENCES user (tenant_no, id),
    FOREIGN KEY (tenant_no, account_id) REFERENCES telephony_account (tenant_no, id)
) STRICT;
CREATE INDEX call_time ON call (tenant_no, started_at, id);
CREATE INDEX call_contact ON call (tenant_no, contact_id, started_at, id)
    WHERE contact_id IS NOT NULL;
CREATE INDEX call_user ON call (tenant_no, user_id, started_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX call_direction ON call (tenant_no, direction, started_at, id);
CREATE INDEX call_status ON call (tenant_no, status, started_at, id);
CREATE INDEX call_disposition ON call (tenant_no, disposition, started_at, id)
    WHERE disposition IS NOT NULL;
CREATE UNIQUE INDEX call_provider ON call (tenant_no, account_id, provider_call_id)
    WHERE provider_call_id IS NOT NULL;

CREATE TABLE schedule (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    id        BLOB    NOT NULL,
    name      TEXT    NOT NULL,
    next_at   INTEGER,
    version   INTEGER NOT NULL,
    doc       TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    UNIQUE (tenant_no, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_due ON schedule (next_at, id) WHERE next_at IS NOT NULL;

-- The queue. state: 0 scheduled, 1 ready, 2 running, 3 dead. A job that is done is gone.
CREATE TABLE job (
    tenant_no    INTEGER NOT NULL REFERENCES tenant (no),
    id           BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    state        INTEGER NOT NULL,
    priority     INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,
    lease_until  INTEGER,
    token        INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    unique_key   TEXT,
    payload      TEXT    NOT NULL,
    failure      TEXT,
    request_id   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant_no, id)
) STRICT;
CREATE INDEX job_ready ON job (kind, tenant_no, priority, run_at, id) WHERE state = 1;
CREATE INDEX job_scheduled ON job (run_at) WHERE state = 0;
CREATE INDEX job_running ON job (lease_until) WHERE state = 2;
CREATE INDEX job_dead ON job (tenant_no, id) WHERE state = 3;
CREATE UNIQUE INDEX job_unique ON job (tenant_no, kind, unique_key)
    WHERE state IN (0, 1) AND unique_key IS NOT NULL;

-- What people are told. Who reads a page reads one of its three orders.
CREATE TABLE notification (
    tenant_no  INTEGER NOT NULL REFERENCES tenant (no),
    id         BLOB    NOT NULL,
    user_id    BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    unread     INTEGER NOT NULL,
    pending    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    doc        TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, user_id) REFERENCES user (tenant_no, id)
) STRICT;
CREATE INDEX notification_user ON notification (tenant_no, user_id, created_at, id);
CREATE INDEX notification_unread ON notification (tenant_no, user_id, created_at, id)
    WHERE unread = 1;
CREATE INDEX notification_pending ON notification (tenant_no, user_id, created_at, id)
    WHERE pending = 1;

-- What each wants to be told; the id is the user's.
CREATE TABLE notification_preferences (
    tenant_no INTEGER NOT NULL REFERENCES tenant (no),
    id        BLOB    NOT NULL,
    version   INTEGER NOT NULL,
    doc       TEXT    NOT NULL,
    PRIMARY KEY (tenant_no, id),
    FOREIGN KEY (tenant_no, id) REFERENCES user (tenant_no, id)
) STRICT, WITHOUT ROWID;
