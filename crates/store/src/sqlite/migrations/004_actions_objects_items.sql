-- What people do with messages. The message need not be stored.
CREATE TABLE actions (
    channel_id INTEGER NOT NULL,
    -- Where the message stands, and the action itself.
    message INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    publisher TEXT NOT NULL,
    -- With its message.
    expires INTEGER,
    PRIMARY KEY (channel_id, message, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX actions_position ON actions (channel_id, position);
CREATE INDEX actions_expiry ON actions (expires) WHERE expires IS NOT NULL;

CREATE TABLE objects (
    org_id INTEGER NOT NULL REFERENCES orgs (id),
    -- 0 user, 1 channel.
    kind INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    external_id TEXT,
    profile_url TEXT,
    email TEXT,
    description TEXT,
    status TEXT,
    type TEXT,
    -- A JSON object.
    custom TEXT,
    updated INTEGER NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (org_id, kind, id)
) STRICT, WITHOUT ROWID;

-- The orders that lists are read in most.
CREATE INDEX objects_name ON objects (org_id, kind, name);
CREATE INDEX objects_updated ON objects (org_id, kind, updated);

-- Neither the user nor the channel has to be an object.
CREATE TABLE memberships (
    org_id INTEGER NOT NULL REFERENCES orgs (id),
    user TEXT NOT NULL,
    channel TEXT NOT NULL,
    status TEXT,
    type TEXT,
    custom TEXT,
    updated INTEGER NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (org_id, user, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_channel ON memberships (org_id, channel);

CREATE TABLE items (
    org_id INTEGER NOT NULL REFERENCES orgs (id),
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER,
    PRIMARY KEY (org_id, collection, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX items_expiry ON items (expires) WHERE expires IS NOT NULL;
