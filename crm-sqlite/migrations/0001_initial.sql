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
