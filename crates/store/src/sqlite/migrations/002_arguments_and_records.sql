-- A format of 3 is arguments: their JSON is the payload, their attachments are here, each after its length.
ALTER TABLE publications ADD COLUMN attachments BLOB;

-- Channels whose listeners do not get it, each after its length: a byte of flags and the name.
ALTER TABLE publications ADD COLUMN except_listeners_of BLOB;

CREATE TABLE records (
    org_id INTEGER NOT NULL REFERENCES orgs (id),
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (org_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX records_expiry ON records (expires);
