CREATE TABLE server (
    -- How often the database was opened for writing.
    run INTEGER NOT NULL
) STRICT;
INSERT INTO server (run) VALUES (0);

CREATE TABLE orgs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- No position up to here is given out again.
    floor INTEGER NOT NULL DEFAULT 0,
    -- The highest trimmed_to of channels that were forgotten.
    forgotten_to INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE channels (
    -- Never used twice: other processes and idempotency keys may still mean the old one.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id INTEGER NOT NULL REFERENCES orgs (id),
    name TEXT NOT NULL,
    flags INTEGER NOT NULL,
    -- Everything up to here was removed by retention.
    trimmed_to INTEGER NOT NULL,
    UNIQUE (org_id, name, flags)
) STRICT;

-- Clustered by channel, so that a page of history is one stretch of the file.
CREATE TABLE publications (
    channel_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    -- 0 JSON, 1 text, 2 binary.
    format INTEGER NOT NULL,
    expects_replies INTEGER NOT NULL,
    name TEXT,
    payload ANY NOT NULL,
    meta TEXT,
    publisher_kind INTEGER,
    publisher TEXT,
    -- The session that does not get it, and the run of the server that this session belongs to.
    except_run INTEGER,
    except_session INTEGER,
    expires INTEGER,
    PRIMARY KEY (channel_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX publications_expiry ON publications (expires) WHERE expires IS NOT NULL;

-- The row id follows time, so that the oldest are found without another index.
CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,
    -- Empty for none, else the number of the identity's kind, a colon, and its id.
    publisher TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    UNIQUE (channel_id, publisher, key)
) STRICT;
